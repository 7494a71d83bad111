"""The lake without a JVM: the export read at pinned versions, the checkpoints committed, through
delta-rs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.run_record import RunRecord
from llm_i2i_spark.base.sections.lake import LakeConfig

ARROW_TYPES = {"string": pa.string(), "bigint": pa.int64()}


class DeltaRsLake:
    """The tables under a folder, as fine-tuning sees them.

    Args:
        config: with `lake.root`, a folder that every rank can reach.

    Raises:
        UserError: there is no root, or it is not a folder.
    """

    def __init__(self, config: LakeConfig) -> None:
        if not config.root:
            raise UserError(
                "Fine-tuning reads and writes files: set lake.root to a folder (on Databricks one"
                " below /Volumes)."
            )
        if "://" in config.root:
            raise UserError(
                f"Fine-tuning needs lake.root as a mounted folder, and {config.root} is a URI (on"
                " Databricks: below /Volumes)."
            )
        self.root = Path(config.root).expanduser().resolve()
        self._retention = f"interval {config.retention_days} days"

    def path(self, table: str) -> str:
        """The folder of a table."""
        return str(self.root / TABLES[table].name)

    def version(self, table: str) -> int | None:
        """The latest version of a table; None where it does not exist."""
        return (
            DeltaTable(self.path(table)).version()
            if DeltaTable.is_deltatable(self.path(table))
            else None
        )

    def read(self, table: str, version: int, columns: Sequence[str]) -> pa.Table:
        """Columns of a table at a version, sorted by its first key column, so that the order of
        files does not matter.

        Parquet's page checksums are verified: a flipped bit is an error here, not a wrong example.

        Raises:
            UserError: the table, the version or a file is not there, a page is damaged, or there
                are no rows.
        """
        try:
            # to_pyarrow_table() of delta-rs can abort the interpreter at exit: its files are read
            # with pyarrow instead.
            files = sorted(DeltaTable(self.path(table), version=version).file_uris())
            parts = [
                pq.read_table(
                    file, columns=list(columns), page_checksum_verification=True, partitioning=None
                )
                for file in files
            ]
        except TableNotFoundError:
            raise UserError(
                f"There is no table {table} in {self.root}; run stage {TABLES[table].stage} first."
            ) from None
        except (DeltaError, OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"Version {version} of {table} cannot be read ({reason}); run stage"
                f" {TABLES[table].stage} again."
            ) from error
        rows = pa.concat_tables(parts) if parts else None
        if rows is None or rows.num_rows == 0:
            raise UserError(
                f"Version {version} of {table} has no rows; run stage {TABLES[table].stage} on a"
                " longer log."
            )
        return rows.sort_by(TABLES[table].key[0])

    def commit(self, rows: Sequence[dict[str, Any]], record: RunRecord) -> tuple[int, bool]:
        """Replace the table named in the record by some rows, in one commit that carries it.

        Returns:
            (version, added): the version that holds the rows, and False where a commit of the same
            fingerprint was already the latest.
        """
        contract = TABLES[record.table]
        latest = self._latest_record(record.table)
        if latest is not None and latest[1].fingerprint == record.fingerprint:
            return latest[0], False
        schema = pa.schema(
            [pa.field(c.name, ARROW_TYPES[c.type], nullable=c.nullable) for c in contract.columns]
        )
        keys = ("delta.deletedFileRetentionDuration", "delta.logRetentionDuration")
        create = latest is None and self.version(record.table) is None
        write_deltalake(
            self.path(record.table),
            pa.Table.from_pylist(list(rows), schema=schema),
            mode="overwrite",
            configuration=dict.fromkeys(keys, self._retention) if create else None,
            # Under this name Spark's own DESCRIBE HISTORY shows the record like that of any other
            # commit.
            commit_properties=CommitProperties(custom_metadata={"userMetadata": record.to_json()}),
        )
        version = self.version(record.table)
        assert version is not None
        return version, True

    def _latest_record(self, table: str) -> tuple[int, RunRecord] | None:
        if not DeltaTable.is_deltatable(self.path(table)):
            return None
        commit = DeltaTable(self.path(table)).history(1)[0]
        record = RunRecord.from_json(commit.get("userMetadata"))
        return (int(commit["version"]), record) if record is not None else None
