"""Slices of items by long tail and popularity."""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.evaluate.slice_members import item_members, user_members
from llm_i2i_spark.evaluate.slices import (
    BUCKET_EDGES,
    BUCKETS,
    ITEM_SLICES,
    SLICE_TITLES,
    SLICES,
    USER_SLICES,
)


def test_slices_split_by_tail_and_popularity() -> None:
    member = item_members(
        np.array([0, 1, 5]), np.array([True, True, False]), np.array([True, False, False])
    )
    by_name = dict(zip(ITEM_SLICES, member.T.tolist(), strict=True))
    assert by_name["all"] == [True, True, True]
    assert by_name["long_tail"] == [True, True, False]
    assert by_name["long_tail_train"] == [True, False, False]
    assert by_name["head"] == [False, False, True]
    assert by_name["new"] == [True, False, False]
    assert by_name["seen_1_4"] == [False, True, False]
    assert by_name["seen_50_up"] == [False, False, True]


def test_users_are_in_the_slice_of_their_length_alone() -> None:
    by_name = dict(zip(USER_SLICES, user_members(np.array([0, 3, 3])).T.tolist(), strict=True))
    assert by_name.pop("history_0") == [True, False, False]
    assert by_name.pop("history_10_19") == [False, True, True]
    assert not any(any(members) for members in by_name.values())


def test_every_slice_has_words_and_every_bucket_an_edge() -> None:
    assert SLICE_TITLES.keys() == set(SLICES)
    assert len(BUCKET_EDGES) == len(BUCKETS)
