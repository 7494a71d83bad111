"""Next-item transitions against plain loops over the sequences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.kernels.arrays import read_only
from llm_i2i_spark.kernels.csr import ItemBlock, UserCsr
from llm_i2i_spark.kernels.edge_format import ITEM_SHIFT, NO_CAP, SYNTHETIC, WEIGHTED
from llm_i2i_spark.kernels.transitions import transitions_block

N_ITEMS = 12
NO_HASHES = np.zeros(N_ITEMS, np.int32)
# A user's items in the order of the clicks, then those that a model proposed.
Users = list[tuple[list[int], list[int]]]
user = st.lists(st.integers(0, N_ITEMS - 1), unique=True, min_size=2).flatmap(
    lambda items: st.integers(0, len(items)).map(lambda clicks: (items[:clicks], items[clicks:]))
)
logs = st.lists(user, max_size=12)


def to_csr(users: Users) -> UserCsr:
    edges = [
        item << ITEM_SHIFT | mark
        for real, more in users
        for items, mark in ((real, 0), (more, SYNTHETIC | WEIGHTED))
        for item in items
    ]
    indptr = np.cumsum([0, *(len(real) + len(more) for real, more in users)], dtype=np.int64)
    weights = np.full(sum(len(more) for _, more in users), 0.5)
    return UserCsr(
        *map(
            read_only,
            (np.arange(len(users), dtype=np.int32), indptr, np.array(edges, np.uint32), weights),
        )
    )


def rows_of(users: Users, window: int, blocks=1, top_k=100):
    block_of_item = (np.arange(N_ITEMS) % blocks).astype(np.uint16)
    parts = [
        transitions_block(
            to_csr(users), ItemBlock(block_of_item, block, NO_HASHES, NO_CAP), window, top_k
        )
        for block in range(blocks)
    ]
    return [
        row for part in parts for row in zip(*(column.tolist() for column in part), strict=True)
    ]


def oracle(users: Users, window: int):
    """(item, next) -> similarity, support."""
    found: dict[tuple[int, int], tuple[float, int]] = {}
    for clicks, _ in users:
        for position, item in enumerate(clicks):
            for distance, following in enumerate(
                clicks[position + 1 : position + 1 + window], start=1
            ):
                total, support = found.get((item, following), (0.0, 0))
                found[item, following] = (total + 1 / distance, support + 1)
    return found


@settings(max_examples=150, deadline=None)
@given(logs, st.integers(1, 12), st.integers(1, 4))
def test_kernel_equals_plain_loops(users, window, blocks):
    wanted = oracle(users, window)
    rows = rows_of(users, window, blocks)
    assert {row[:2] for row in rows} == wanted.keys()
    assert len(rows) == len(wanted)
    for item, following, similarity, support, share in rows:
        assert (similarity, support) == (
            pytest.approx(wanted[item, following][0], rel=1e-12),
            wanted[item, following][1],
        )
        assert share == 0


@settings(max_examples=50, deadline=None)
@given(logs, st.integers(1, 12))
def test_synthetic_edges_have_no_place_in_the_sequence(users, window):
    assert rows_of(users, window) == rows_of([(clicks, []) for clicks, _ in users], window)


def test_the_way_back_is_another_way():
    assert rows_of([([3, 5], [])], window=4) == [(3, 5, 1.0, 1, 0.0)]
    assert [row[:3] for row in rows_of([([3, 5], []), ([3, 5], []), ([5, 3], [])], window=4)] == [
        (3, 5, 2.0),
        (5, 3, 1.0),
    ]


def test_it_looks_no_further_than_its_window():
    rows = rows_of([([0, 1, 2, 3, 4], [])], window=2)
    assert {row[:3] for row in rows} == {
        (i, i + d, 1 / d) for i in range(5) for d in (1, 2) if i + d < 5
    }


@settings(max_examples=50, deadline=None)
@given(logs, st.integers(1, 5), st.integers(1, 30))
def test_top_k_is_the_head_of_similarity_then_item(users, window, top_k):
    everything, kept = rows_of(users, window), rows_of(users, window, top_k=top_k)
    for item in range(N_ITEMS):
        ordered = sorted(
            (row for row in everything if row[0] == item), key=lambda row: (-row[2], row[1])
        )
        assert [row for row in kept if row[0] == item] == ordered[:top_k]
