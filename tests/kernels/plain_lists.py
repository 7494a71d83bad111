"""Users' lists as lists of Python's own, to be written down in a test and compared."""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.kernels.csr import UserLists, read_only
from llm_i2i_spark.kernels.edge_format import SYNTHETIC

Lists = list[
    tuple[int, list[int], list[float]]
]  # of each user: key, edges, weights of the synthetic ones


def ragged(lists: Lists) -> UserLists:
    """Plain lists to arrays."""
    keys = np.array([key for key, _, _ in lists], np.int32)
    offsets = np.cumsum([0, *(len(edges) for _, edges, _ in lists)], dtype=np.int64)
    edges = np.array([edge for _, edges, _ in lists for edge in edges], np.uint32)
    weights = np.array([weight for _, _, own in lists for weight in own], float)
    return UserLists(*map(read_only, (keys, offsets, edges, weights)))


def unraveled(lists: UserLists) -> Lists:
    """Arrays to plain lists."""
    weights = iter(lists.weights.tolist())
    own = [
        lists.edges[begin:end].tolist()
        for begin, end in zip(lists.offsets, lists.offsets[1:], strict=False)
    ]
    found = [
        (int(key), edges, [next(weights) for edge in edges if edge & SYNTHETIC])
        for key, edges in zip(lists.keys, own, strict=True)
    ]
    assert next(weights, None) is None
    return found
