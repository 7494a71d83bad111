"""From interactions to users' rows: what stays of repeated interactions and long rows."""

from __future__ import annotations

import random
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.backbones.cooccurrence.encoded_batches import LAST_POSITION
from llm_i2i_spark.kernels.csr import UserCsr
from llm_i2i_spark.kernels.edge_format import ITEM_SHIFT, NO_CAP, SYNTHETIC, WEIGHTED
from llm_i2i_spark.kernels.grouping import Interactions, group_by_user
from tests.kernels.plain_csr import to_rows

N_ITEMS = 400
ITEM_HASHES = np.random.default_rng(0).integers(-(2**31), 2**31, N_ITEMS).astype(np.int32)
KEYS = np.array([5, -7, 5, 2**31 - 1, -(2**31)], np.int32)
Row = tuple[int, int, float, int]  # user, edge, weight, position


def real(user: int, item: int, position: int = 0) -> Row:
    return user, item << ITEM_SHIFT, 1.0, position


def synthetic(user: int, item: int, weight: float) -> Row:
    return user, item << ITEM_SHIFT | SYNTHETIC | WEIGHTED, weight, LAST_POSITION


def rated(user: int, item: int, weight: float, position: int = 0) -> Row:
    return user, item << ITEM_SHIFT | WEIGHTED, weight, position


users, items = st.integers(0, len(KEYS) - 3), st.integers(0, 5)
rows = st.lists(
    st.builds(real, users, items, st.integers(0, 9))
    | st.builds(synthetic, users, items, st.floats(0.01, 1))
    | st.builds(rated, users, items, st.floats(0.01, 1), st.integers(0, 9)),
    min_size=1,
    max_size=60,
)


def group(rows: list[Row], by_position=False, max_items=NO_CAP) -> UserCsr:
    user, edge, weight, position = (list(column) for column in zip(*rows, strict=True))
    weights = np.array(weight if any(e & WEIGHTED for e in edge) else [], float)
    positions = np.array(position if by_position else [], np.int32)
    return group_by_user(
        Interactions(np.array(user, np.uint32), np.array(edge, np.uint32), weights, positions),
        KEYS,
        ITEM_HASHES,
        max_items,
    )


def sampling_hash(key: int, item_hash: int) -> int:
    """SplitMix64's finalizer, in Python's integers."""
    mask = 2**64 - 1
    x = (key << 32 ^ item_hash & 0xFFFFFFFF) & mask
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & mask
    x = (x ^ x >> 27) * 0x94D049BB133111EB & mask
    return x ^ x >> 31


def oracle(rows: list[Row], by_position=False, max_items=NO_CAP):
    """(key, edges, weights of the weighted ones) of each user."""
    wanted = []
    for user, key in enumerate(KEYS.tolist()):
        kept: dict[int, Row] = {}
        own_rows = sorted((row for row in rows if row[0] == user), key=lambda row: row[1])
        for edge, same in groupby(own_rows, key=lambda row: row[1]):
            _, _, weights, positions = zip(*same, strict=True)
            row = user, edge, max(weights), min(positions)
            kept.setdefault(edge >> ITEM_SHIFT, row)
        sampled = sorted(kept, key=lambda item: sampling_hash(key, int(ITEM_HASHES[item])))[
            :max_items
        ]
        own = sorted(
            (kept[item] for item in sampled), key=lambda row: (row[3] if by_position else 0, row[1])
        )
        if len(own) > 1:
            wanted.append(
                (key, [row[1] for row in own], [row[2] for row in own if row[1] & WEIGHTED])
            )
    return wanted


@settings(max_examples=200, deadline=None)
@given(rows, st.booleans(), st.sampled_from([2, 3, NO_CAP]))
def test_rows_equal_a_plain_grouping(rows, by_position, max_items):
    assert to_rows(group(rows, by_position, max_items)) == oracle(rows, by_position, max_items)


@settings(max_examples=100, deadline=None)
@given(rows, st.booleans(), st.sampled_from([2, 3, NO_CAP]), st.randoms())
def test_the_order_of_rows_has_no_part_in_it(rows, by_position, max_items, draw):
    shuffled = draw.sample(rows, len(rows))
    assert to_rows(group(shuffled, by_position, max_items)) == to_rows(
        group(rows, by_position, max_items)
    )


@pytest.mark.parametrize("by_position", [False, True])
@pytest.mark.parametrize("n_rows", [20, 300])
@pytest.mark.parametrize("max_items", [10, NO_CAP])
def test_long_rows_with_many_repeated_rows(n_rows, by_position, max_items):
    draw = random.Random(n_rows)
    rows = []
    for position in range(n_rows):
        item = draw.randrange(N_ITEMS // 4)
        rows.append(
            real(1, item, position // 3)
            if draw.random() < 0.5
            else synthetic(1, item, draw.choice([0.1, 0.5, 0.9]))
        )
    draw.shuffle(rows)
    for kept in (rows, [row for row in rows if not row[1] & SYNTHETIC]):
        assert to_rows(group(kept, by_position, max_items)) == oracle(kept, by_position, max_items)


def test_of_repeated_clicks_the_earliest_stays():
    rows = [real(0, 1, 5), real(0, 2, 3), real(0, 1, 2), real(0, 1, 4)]
    for again in (rows, rows[::-1]):
        assert [edge >> ITEM_SHIFT for edge in group(again, by_position=True).indices.tolist()] == [
            1,
            2,
        ]


def test_the_real_row_stays_before_a_synthetic_one_and_then_the_heavier():
    rows = [
        synthetic(0, 3, 0.9),
        real(0, 3),
        synthetic(0, 4, 0.2),
        synthetic(0, 4, 0.7),
        synthetic(0, 4, 0.5),
    ]
    assert to_rows(group(rows)) == [
        (5, [3 << ITEM_SHIFT, 4 << ITEM_SHIFT | SYNTHETIC | WEIGHTED], [0.7])
    ]


def test_users_of_one_item_are_dropped_however_often_it_comes():
    lists = group(
        [real(0, 3), real(0, 3), synthetic(0, 3, 0.5), real(1, 1), real(1, 2), real(3, 9)]
    )
    assert to_rows(lists) == [(-7, [1 << ITEM_SHIFT, 2 << ITEM_SHIFT], [])]


def test_positions_order_a_row_and_synthetic_edges_stand_last():
    lists = group(
        [synthetic(0, 1, 0.5), real(0, 4, 2), real(0, 9, 1), real(0, 2, 3)], by_position=True
    )
    assert [edge >> ITEM_SHIFT for edge in lists.indices.tolist()] == [9, 4, 2, 1]
