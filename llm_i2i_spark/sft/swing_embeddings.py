"""Where item embeddings start from when items have no texts: the leading eigenvectors of Swing's
similarities of the interactions that the model is trained on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import eigsh

from llm_i2i_spark.kernels.csr import ItemBlock, UserCsr
from llm_i2i_spark.kernels.edge_format import ITEM_SHIFT
from llm_i2i_spark.kernels.grouping import Interactions, group_by_user
from llm_i2i_spark.kernels.swing import swing_block
from llm_i2i_spark.sft.catalogue import Numbers

A1, A2, B = 0.0, 1.0, 0.5
"""As the backbone `swing` has them by default."""
NEIGHBORS = 200
MAX_USERS_PER_ITEM, MAX_ITEMS_PER_USER = 500, 1000
"""A sample of an item's users says what it is like; all of them take quadratic time."""

STANDARD_DEVIATION = 0.1
"""Of a row. Random rows start five times smaller, and are added, so that items without a neighbour
differ."""

Rows = NDArray[np.float32]


def swing_embeddings(histories: Iterable[Numbers], n_items: int, dims: int, seed: int) -> Rows:
    """Eigenvectors of Swing's similarities, one row an item.

    A dot product of two rows approximates the similarity of their items up to their lengths:
    with S = V L V^T made symmetric, the rows of V L^(1/2), each scaled to the same length.

    Args:
        histories: items of each user, by index.
        n_items: number of rows.
        dims: number of columns; those above the number of eigenvectors are zero.
        seed: of the sampling of users.

    Returns:
        [n_items, dims] float32 with standard deviation `STANDARD_DEVIATION`, zeros for items that
        have no neighbour.
    """
    rows: Rows = np.zeros((n_items, dims), np.float32)
    similar = _similarities(histories, n_items, seed)
    if similar.nnz == 0:
        return rows
    values, vectors = _leading_eigenvectors(similar, dims)
    scaled = vectors * np.sqrt(np.maximum(values, 0.0))
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    length = STANDARD_DEVIATION * np.sqrt(dims)
    # Rounding leaves items without a neighbour rows that are not quite zero.
    known = lengths[:, 0] > 1e-6
    rows[known, : scaled.shape[1]] = length * scaled[known] / lengths[known]
    return rows


def _similarities(histories: Iterable[Numbers], n_items: int, seed: int) -> sparse.csr_matrix:
    """Symmetric similarities: Swing's, divided by the fourth root of the neighbour's clicks, each
    item's list scaled to length 1.
    """
    users = [np.asarray(items, np.uint32) for items in histories]
    if not sum(map(len, users)):
        return sparse.csr_matrix((n_items, n_items))
    csr, item_hashes = _click_matrix(users, n_items, seed)
    block = ItemBlock(np.zeros(n_items, np.uint16), 0, item_hashes, MAX_USERS_PER_ITEM)
    found = swing_block(csr, block, A1, A2, B, NEIGHBORS)
    clicks = np.bincount(csr.indices >> np.uint32(ITEM_SHIFT), minlength=n_items)
    values = found.similarity * np.maximum(clicks, 1)[found.neighbor] ** -0.25
    lengths = np.sqrt(np.bincount(found.item, values**2, minlength=n_items))
    values = values / np.maximum(lengths, 1e-12)[found.item]
    lists = sparse.csr_matrix((values, (found.item, found.neighbor)), shape=(n_items, n_items))
    return (lists + lists.T) / 2


def _click_matrix(
    histories: Sequence[NDArray[np.uint32]], n_items: int, seed: int
) -> tuple[UserCsr, NDArray[np.int32]]:
    """The click matrix, and a hash of every item for the sampling of users."""
    random = np.random.default_rng(seed)
    every_hash = np.iinfo(np.int32)
    keys, item_hashes = (
        random.integers(every_hash.min, every_hash.max, size, np.int32, endpoint=True)
        for size in (len(histories), n_items)
    )
    numbers = np.arange(len(histories), dtype=np.uint32)
    users = np.repeat(numbers, [len(items) for items in histories])
    edges = np.concatenate(histories) << np.uint32(ITEM_SHIFT)
    rows = Interactions(users, edges, np.zeros(0), np.zeros(0, np.int32))
    return group_by_user(rows, keys, item_hashes, MAX_ITEMS_PER_USER), item_hashes


def _leading_eigenvectors(
    matrix: sparse.csr_matrix, number: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The greatest eigenvalues and their vectors, as columns."""
    size = matrix.shape[0]
    if number >= size - 1:
        values, vectors = np.linalg.eigh(matrix.toarray())
        return values[::-1][:number], vectors[:, ::-1][:, :number]
    # A start of ones would be orthogonal to eigenvectors that sum to zero.
    start = np.random.default_rng(0).standard_normal(size)
    values, vectors = eigsh(matrix, k=number, which="LA", v0=start)
    order = np.argsort(-values, kind="stable")
    return values[order], vectors[:, order]
