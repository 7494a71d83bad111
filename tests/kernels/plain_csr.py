"""The click matrix as lists of Python's own, to be written down in a test and compared."""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.kernels.arrays import read_only
from llm_i2i_spark.kernels.csr import UserCsr
from llm_i2i_spark.kernels.edge_format import WEIGHTED

Rows = list[tuple[int, list[int], list[float]]]
"""Of each user: key, edges, weights of the weighted ones."""


def to_csr(rows: Rows) -> UserCsr:
    """Lists to arrays."""
    keys = np.array([key for key, _, _ in rows], np.int32)
    indptr = np.cumsum([0, *(len(edges) for _, edges, _ in rows)], dtype=np.int64)
    edges = np.array([edge for _, edges, _ in rows for edge in edges], np.uint32)
    weights = np.array([weight for _, _, own in rows for weight in own], float)
    return UserCsr(*map(read_only, (keys, indptr, edges, weights)))


def to_rows(csr: UserCsr) -> Rows:
    """Arrays to lists."""
    weights = iter(csr.data.tolist())
    own = [
        csr.indices[begin:end].tolist()
        for begin, end in zip(csr.indptr, csr.indptr[1:], strict=False)
    ]
    found = [
        (int(key), edges, [next(weights) for edge in edges if edge & WEIGHTED])
        for key, edges in zip(csr.keys, own, strict=True)
    ]
    assert next(weights, None) is None
    return found
