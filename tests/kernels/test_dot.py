"""Item-kNN and BM25 against dense matrices, and that blocks and compiled specialisations are what
they should be.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from llm_i2i_spark.kernels.arrays import read_only
from llm_i2i_spark.kernels.bm25 import bm25_block
from llm_i2i_spark.kernels.csr import ItemBlock, UserCsr
from llm_i2i_spark.kernels.dot import dot_block
from llm_i2i_spark.kernels.edge_format import ITEM_SHIFT, NO_CAP, SYNTHETIC, WEIGHTED
from llm_i2i_spark.kernels.item_knn import item_knn_block

EVERYTHING = 1000
K1, B = 1.2, 0.75

# Users in rows, items in columns; 0 is no edge, 1 a real one, anything between a weighted one: a
# real one up to the half, a synthetic one above it.
edge = st.sampled_from([0.0, 0.0, 0.0, 1.0, 1.0]) | st.floats(0.01, 0.99)
shapes = st.tuples(st.integers(1, 14), st.integers(2, 9))
matrices = shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=edge)).filter(np.any)
graphs = matrices.map(lambda clicks: clicks[clicks.any(axis=1)])


def to_csr(clicks: np.ndarray, users: np.ndarray) -> UserCsr:
    """Some users as a kernel takes them; keys fall while users rise, so that the order of users is
    not that of the rows.
    """
    own = [np.flatnonzero(clicks[user]) for user in users]
    flat = np.concatenate(
        [clicks[user, items] for user, items in zip(users, own, strict=True)] or [np.empty(0)]
    )
    items = np.concatenate([*own, np.empty(0, np.int64)]).astype(np.uint32)
    weighted, synthetic = flat < 1, _is_synthetic(flat)
    edges = items << ITEM_SHIFT | weighted * WEIGHTED | synthetic * SYNTHETIC
    indptr = np.cumsum([0, *map(len, own)], dtype=np.int64)
    return UserCsr(
        *map(read_only, (-users.astype(np.int32), indptr, edges.astype(np.uint32), flat[weighted]))
    )


def _is_synthetic(weights: np.ndarray) -> np.ndarray:
    return (weights > 0.5) & (weights < 1)


def item_knn(clicks: np.ndarray, csr: UserCsr, block: ItemBlock, top_k: int):
    return item_knn_block(csr, block, (clicks**2).sum(axis=0), top_k)


def bm25(clicks: np.ndarray, csr: UserCsr, block: ItemBlock, top_k: int):
    return bm25_block(csr, block, clicks.sum(axis=0), K1, B, top_k)


def scaled_item_knn(clicks: np.ndarray) -> np.ndarray:
    """The click matrix with columns of length 1."""
    return clicks / np.sqrt(np.maximum((clicks**2).sum(axis=0), 1e-300))


def scaled_bm25(clicks: np.ndarray) -> np.ndarray:
    """`bm25_weight` of the package implicit as its `BM25Recommender` calls it: items are documents,
    users words.
    """
    present = clicks.any(axis=0)
    totals = clicks.sum(axis=0)
    length_norm = (1 - B) + B * totals / totals[present].mean()
    idf = np.log(present.sum()) - np.log1p((clicks > 0).sum(axis=1, keepdims=True))
    return clicks * (K1 + 1) / (K1 * length_norm + clicks) * idf


def rows_of(kernel, clicks: np.ndarray, blocks=1, top_k=EVERYTHING):
    """All rows as tuples, block by block, each kernel call with the users that a block is sent."""
    several = (clicks > 0).sum(axis=1) >= 2
    block_of_item = (np.arange(clicks.shape[1]) % blocks).astype(np.uint16)
    rows = []
    for block in range(blocks):
        users = np.flatnonzero(several & clicks[:, block_of_item == block].any(axis=1))
        item_block = ItemBlock(block_of_item, block, np.zeros(clicks.shape[1], np.int32), NO_CAP)
        out = kernel(clicks, to_csr(clicks, users), item_block, top_k)
        rows += zip(*(column.tolist() for column in out), strict=True)
    return rows


BACKBONES = pytest.mark.parametrize(
    ("kernel", "scaled"), [(item_knn, scaled_item_knn), (bm25, scaled_bm25)]
)


@BACKBONES
@settings(max_examples=150, deadline=None)
@given(clicks=graphs, blocks=st.integers(1, 4))
def test_kernel_equals_the_product_of_dense_columns(kernel, scaled, clicks, blocks):
    x = scaled(clicks)
    real = np.where(_is_synthetic(clicks), 0, x)
    similarity, real_part = x.T @ x, real.T @ real
    np.fill_diagonal(similarity, 0)
    both = (clicks > 0).T.astype(int) @ (clicks > 0)
    found = {(i, j): rest for i, j, *rest in rows_of(kernel, clicks, blocks)}
    assert found.keys() >= set(zip(*np.nonzero(similarity > 1e-9), strict=True))
    for (i, j), (value, support, share) in found.items():
        assert value == pytest.approx(similarity[i, j], rel=1e-12, abs=1e-12)
        assert support == both[i, j]
        if value > 1e-9:
            assert share == pytest.approx(1 - real_part[i, j] / similarity[i, j], abs=1e-10)


@pytest.mark.parametrize("kernel", [item_knn, bm25])
@settings(max_examples=30, deadline=None)
@given(clicks=graphs, blocks=st.integers(2, 5))
def test_blocks_partition_the_items_without_changing_a_bit(kernel, clicks, blocks):
    assert sorted(rows_of(kernel, clicks, blocks)) == sorted(rows_of(kernel, clicks))


@pytest.mark.parametrize("top_k", [1, 3, 30])
def test_top_k_is_the_head_of_similarity_then_item(top_k):
    clicks = (np.random.default_rng(1).random((40, 60)) < 0.3).astype(float)
    clicks[:, 7] = clicks[:, 8]  # two equal columns tie in every row
    everything, kept = rows_of(item_knn, clicks), rows_of(item_knn, clicks, top_k=top_k)
    for item in range(60):
        ordered = sorted(
            (row for row in everything if row[0] == item), key=lambda row: (-row[2], row[1])
        )
        assert [row for row in kept if row[0] == item] == ordered[:top_k]


def test_bm25_equals_the_package_implicit():
    # BM25Recommender(K=20, K1=1.2, B=0.75) of implicit 0.7.3, fitted to this matrix of users and
    # items.
    wanted = {(0, 1): 0.251999787826545, (0, 2): 0.15697285508769604, (1, 2): 0.04417862771158818}
    wanted |= {(2, 3): 0.11417975720101278, (3, 4): 0.3819900983000595}
    clicks = np.array(
        [[1, 1, 0, 0, 0], [1, 0, 0.5, 0, 0], [1, 1, 1, 0, 0], [0, 0, 1, 0.25, 0], [0, 0, 0, 1, 1]]
    )
    found = {(i, j): value for i, j, value, *_ in rows_of(bm25, clicks)}
    assert found == pytest.approx(
        wanted | {(j, i): value for (i, j), value in wanted.items()}, rel=1e-12
    )


def test_equal_columns_have_cosine_one_and_disjoint_ones_no_row():
    clicks = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]], float)
    assert rows_of(item_knn, clicks) == [
        (0, 1, 1.0, 2, 0.0),
        (1, 0, 1.0, 2, 0.0),
        (2, 3, 1.0, 1, 0.0),
        (3, 2, 1.0, 1, 0.0),
    ]


def test_the_kernel_is_compiled_once_for_real_and_weighted_rows():
    for share in (1.0, 0.5):
        for kernel in (item_knn, bm25):
            rows_of(kernel, np.array([[1, share, 0], [1, 1, share]]), blocks=2)
    assert len(dot_block.signatures) == 1
