"""Next-item transitions against plain loops over the sequences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.kernels.csr import UserLists, read_only
from llm_i2i_spark.kernels.edge_format import ITEM_SHIFT, SYNTHETIC
from llm_i2i_spark.kernels.transitions import transitions_block

N_ITEMS = 12
# A user's items in the order of the clicks, then those that a model proposed.
Users = list[tuple[list[int], list[int]]]
user = st.lists(st.integers(0, N_ITEMS - 1), unique=True, min_size=2).flatmap(
    lambda items: st.integers(0, len(items)).map(lambda clicks: (items[:clicks], items[clicks:]))
)
logs = st.lists(user, max_size=12)


def as_lists(users: Users) -> UserLists:
    edges = [
        item << ITEM_SHIFT | mark
        for real, more in users
        for items, mark in ((real, 0), (more, SYNTHETIC))
        for item in items
    ]
    offsets = np.cumsum([0, *(len(real) + len(more) for real, more in users)], dtype=np.int64)
    weights = np.full(sum(len(more) for _, more in users), 0.5)
    return UserLists(
        *map(
            read_only,
            (np.arange(len(users), dtype=np.int32), offsets, np.array(edges, np.uint32), weights),
        )
    )


def rows_of(users: Users, steps: int, blocks=1, top_k=100):
    block_of = (np.arange(N_ITEMS) % blocks).astype(np.uint16)
    parts = [
        transitions_block(as_lists(users), block_of, block, steps, top_k) for block in range(blocks)
    ]
    return [
        row for part in parts for row in zip(*(column.tolist() for column in part), strict=True)
    ]


def oracle(users: Users, steps: int):
    """(item, next) -> similarity, support."""
    found: dict[tuple[int, int], tuple[float, int]] = {}
    for clicks, _ in users:
        for place, item in enumerate(clicks):
            for distance, following in enumerate(clicks[place + 1 : place + 1 + steps], start=1):
                total, support = found.get((item, following), (0.0, 0))
                found[item, following] = (total + 1 / distance, support + 1)
    return found


@settings(max_examples=150, deadline=None)
@given(logs, st.integers(1, 12), st.integers(1, 4))
def test_kernel_equals_plain_loops(users, steps, blocks):
    wanted = oracle(users, steps)
    rows = rows_of(users, steps, blocks)
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
def test_synthetic_edges_have_no_place_in_the_sequence(users, steps):
    assert rows_of(users, steps) == rows_of([(clicks, []) for clicks, _ in users], steps)


def test_the_way_back_is_another_way():
    assert rows_of([([3, 5], [])], steps=4) == [(3, 5, 1.0, 1, 0.0)]
    assert [row[:3] for row in rows_of([([3, 5], []), ([3, 5], []), ([5, 3], [])], steps=4)] == [
        (3, 5, 2.0),
        (5, 3, 1.0),
    ]


def test_it_looks_no_further_than_steps():
    rows = rows_of([([0, 1, 2, 3, 4], [])], steps=2)
    assert {row[:3] for row in rows} == {
        (i, i + d, 1 / d) for i in range(5) for d in (1, 2) if i + d < 5
    }


@settings(max_examples=50, deadline=None)
@given(logs, st.integers(1, 5), st.integers(1, 30))
def test_top_k_is_the_head_of_similarity_then_number(users, steps, top_k):
    everything, kept = rows_of(users, steps), rows_of(users, steps, top_k=top_k)
    for item in range(N_ITEMS):
        ordered = sorted(
            (row for row in everything if row[0] == item), key=lambda row: (-row[2], row[1])
        )
        assert [row for row in kept if row[0] == item] == ordered[:top_k]
