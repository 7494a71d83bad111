"""Data files of a Delta table as delta-rs names them, and which rows of them are still there."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable
from numpy.typing import NDArray


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
