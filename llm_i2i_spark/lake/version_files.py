"""The data files of a version of a local table, and rows of some of them. No Spark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake.exceptions import DeltaError

from llm_i2i_spark.base.contract import Scope
from llm_i2i_spark.base.errors import TableNotFoundError
from llm_i2i_spark.lake.delta_files import file_name, read_file, row_masks
from llm_i2i_spark.lake.lost_files import open_table


@dataclass(frozen=True)
class VersionFiles:
    """The data files that a version of a table consists of.

    Attributes:
        path: local folder of the table.
        version: of the table.
        names: of the files, which lie in that folder.
        masks: by name, which rows are still there, for files of which some were deleted in place.
    """

    path: str
    version: int
    names: frozenset[str]
    masks: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, path: str, version: int) -> VersionFiles:
        """The files of a version.

        Raises:
            TableNotFoundError: the log no longer has the version, or is damaged.
        """
        table = open_table(path, version)
        names = frozenset(map(file_name, table.file_uris()))
        return cls(path, version, names, row_masks(table))

    def shared_with(self, other: VersionFiles) -> frozenset[str]:
        """The files that hold the same rows in both versions."""
        masked = self.masks.keys() | other.masks.keys()
        return frozenset(self.names & other.names) - masked

    def read(
        self, names: Iterable[str], columns: Sequence[str], scope: Scope | None = None
    ) -> pa.Table:
        """Columns of some of the files, the rows of a scope; page checksums are verified.

        Args:
            names: of the files.
            columns: which.
            scope: values that the rows have; None for all.

        Raises:
            TableNotFoundError: a file is gone or damaged.
        """
        try:
            parts = [
                read_file(f"{self.path}/{name}", columns, scope or {}, self.masks.get(name))
                for name in sorted(names)
            ]
        except (DeltaError, OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise TableNotFoundError(
                f"Version {self.version} of {Path(self.path).name} cannot be read ({reason}); name"
                " a version that can: `llm-i2i audit verify` lists them."
            ) from error
        return pa.concat_tables(parts, promote_options="default") if parts else pa.table({})
