"""What became of an erasure."""

from __future__ import annotations

from dataclasses import dataclass

from llm_i2i_spark.audit.erasure.holdings import Holdings


@dataclass(frozen=True)
class ErasedTable:
    """A table from which rows were deleted.

    Attributes:
        lake: folder of the lake.
        table: its name.
        rows: how many.
        version: without them.
    """

    lake: str
    table: str
    rows: int
    version: int


@dataclass(frozen=True)
class Erasure:
    """The result of forgetting users.

    Attributes:
        run_id: of the records of the commits.
        tables: from which rows were deleted.
        removed_files: how many files of old versions were removed; None where they were kept.
        before: what held the users.
        after: what still holds them, found by looking again.
    """

    run_id: str
    tables: tuple[ErasedTable, ...]
    removed_files: int | None
    before: Holdings
    after: Holdings
