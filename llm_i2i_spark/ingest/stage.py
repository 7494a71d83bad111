"""Stage ingest: what it reads and what its results depend on; `execute` does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_i2i_spark.base.external_input import ExternalInput
from llm_i2i_spark.base.stage import OpenSession, Stage
from llm_i2i_spark.ingest.source_versions import find_sources
from llm_i2i_spark.lake.forgotten import forgotten_users
from llm_i2i_spark.lake.location import local_root

if TYPE_CHECKING:
    from llm_i2i_spark.config.config import Config


def find_inputs(config: Config, session: OpenSession) -> dict[str, ExternalInput]:
    """The raw tables, and the users who are to be left out, where there are any.

    Args:
        config: names the raw tables and the lake.
        session: opens a session; called only for what is not on this machine.

    Raises:
        ConfigError: no log is given.
        InputDataError: nothing is there.
    """
    found: dict[str, ExternalInput] = dict(find_sources(config, session))
    root = local_root(config.lake)
    forgotten = forgotten_users(root) if root is not None else None
    if forgotten is not None and forgotten.hashes:
        found["forgotten_users"] = forgotten
    return found


STAGE = Stage(
    name="ingest",
    reads=(),
    settings=(
        "ingest",
        "split.holdout",
        "split.holdout_share",
        "split.test_from",
        "split.valid_from",
        "split.held_back_items",
    ),
    code=("ingest", "base/moments", "lake/splits", "lake/item_statistics", "lake/forgotten"),
    external_inputs=find_inputs,
)
