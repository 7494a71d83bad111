"""Data files of a Delta table as delta-rs names them, and which rows of them are still there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable
from numpy.typing import NDArray

from llm_i2i_spark.base.contract import Scope
from llm_i2i_spark.lake.block_checksums import verify_block_checksums
from llm_i2i_spark.lake.storage_errors import readable_file

ROWS_AT_ONCE = 65_536

Rows = TypeVar("Rows", pa.Table, pa.RecordBatch)


def file_name(uri: str) -> str:
    """The name of a data file, which lies in the table's folder.

    delta-rs percent-encodes the folders of a local table, so that the name alone can be used.
    """
    return uri.rpartition("/")[2]


def row_masks(table: DeltaTable) -> dict[str, NDArray[np.bool_]]:
    """By file name, which rows are still there, for the files that have a deletion vector."""
    found = {}
    for batch in pa.RecordBatchReader.from_stream(table.deletion_vectors()):
        for file, mask in zip(*batch.columns, strict=True):
            rows = mask.values.to_numpy(zero_copy_only=False)
            found[file_name(file.as_py())] = rows
    return found


def read_file(
    path: str, columns: Sequence[str], scope: Scope, mask: NDArray[np.bool_] | None
) -> pa.Table:
    """Columns of a data file: the rows of a scope that are still there.

    Args:
        path: of the file.
        columns: those that the file lacks are left out.
        scope: values that the rows have.
        mask: of `row_masks`; None where every row is there.

    Raises:
        DamagedFileError: it is missing or not what was written.
    """
    with readable_file(Path(path)):
        verify_block_checksums(Path(path))
        return _read(path, columns, scope, mask)


def file_batches(
    path: str, columns: Sequence[str], scope: Scope, mask: NDArray[np.bool_] | None
) -> Iterator[pa.RecordBatch]:
    """What `read_file` gives, some rows at a time.

    Yields:
        Batches, empty ones among them.
    """
    with readable_file(Path(path)):
        verify_block_checksums(Path(path))
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            wanted, read, filters = _present(file.schema_arrow.names, columns, scope)
            start = 0
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=read):
                end = start + len(batch)
                kept = batch if mask is None else batch.filter(pa.array(mask[start:end]))
                yield _of_scope(kept, filters).select(wanted)
                start = end


def _read(
    path: str, columns: Sequence[str], scope: Scope, mask: NDArray[np.bool_] | None
) -> pa.Table:
    wanted, read, filters = _present(pq.read_schema(path).names, columns, scope)
    if mask is None:
        return pq.read_table(
            path,
            columns=wanted,
            filters=filters or None,
            page_checksum_verification=True,
            partitioning=None,
        )
    rows = pq.read_table(path, columns=read, page_checksum_verification=True, partitioning=None)
    rows = rows.filter(pa.array(mask))
    return _of_scope(rows, filters).select(wanted)


def _of_scope(rows: Rows, filters: Sequence[tuple[str, str, str]]) -> Rows:
    for name, _, value in filters:
        rows = rows.filter(pc.equal(rows[name], value))
    return rows


def _present(
    present: Sequence[str], columns: Sequence[str], scope: Scope
) -> tuple[list[str], list[str], list[tuple[str, str, str]]]:
    """Of the columns of a file: those that are wanted, those to read, and what the rows are
    filtered by. A table of version 0.1 has no columns of scopes yet: all its rows are of the one
    result.
    """
    filters = [(name, "=", value) for name, value in scope.items() if name in present]
    wanted = [name for name in columns if name in present]
    return wanted, list(dict.fromkeys([*wanted, *(name for name, _, _ in filters)])), filters
