"""Where the tables of a lake are: a folder or URI, a catalog schema, or both."""

from __future__ import annotations

import re
from pathlib import Path

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import ConfigError, TableNotFoundError
from llm_i2i_spark.base.files import is_uri
from llm_i2i_spark.base.sections.lake import LakeConfig

SCHEMA_NAME = re.compile(r"[\w-]+(\.[\w-]+)?\Z", re.ASCII)


def require_location(config: LakeConfig) -> None:
    """Check, before anything starts, that the configuration says where tables go.

    Raises:
        ConfigError: neither a root nor a schema is set, or the schema is not a valid name.
    """
    if not config.root and not config.schema_name:
        raise ConfigError(
            "Say where the tables go: --set lake.root=FOLDER (or lake.schema=catalog.schema on a"
            " cluster)."
        )
    if config.schema_name and not SCHEMA_NAME.match(config.schema_name):
        raise ConfigError(
            f"lake.schema must look like schema or catalog.schema, and is {config.schema_name!r}."
        )


def lake_root(config: LakeConfig) -> str | None:
    """The root as an absolute path or URI; None where only a schema is set."""
    if not config.root:
        return None
    if is_uri(config.root):
        return config.root.rstrip("/")
    return str(Path(config.root).expanduser().resolve())


def local_root(config: LakeConfig) -> Path | None:
    """The root as a folder of this machine; None where it is a URI or not set."""
    root = lake_root(config)
    return None if root is None or is_uri(root) else Path(root)


def retention_properties(config: LakeConfig) -> dict[str, str]:
    """The table properties that keep old versions readable for `lake.retention_days`."""
    keys = ("delta.deletedFileRetentionDuration", "delta.logRetentionDuration")
    return dict.fromkeys(keys, f"interval {config.retention_days} days")


def missing_table(table: str, where: object) -> TableNotFoundError:
    """The error for a table that is not there yet."""
    stage = TABLES[table].stage
    return TableNotFoundError(f"There is no table {table} in {where}; run stage {stage} first.")
