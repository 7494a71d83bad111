"""Packing wastes little, loses nothing and never splits an example."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from llm_i2i_spark.lm.packing import (
    IGNORE_INDEX,
    Example,
    PackedExamples,
    pack_rows,
    prompt_batch,
    token_batches,
)
from llm_i2i_spark.lm.trees import Suffix, tree_batch


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(1, 50))
def test_every_example_is_in_one_row_that_it_fits(lengths: list[int], limit: int) -> None:
    rows = pack_rows(lengths, limit)
    assert sorted(index for row in rows for index in row) == list(range(len(lengths)))
    for row in rows:
        assert sum(lengths[index] for index in row) <= limit or len(row) == 1
    emptiest = sorted(sum(lengths[index] for index in row) for row in rows)[:2]
    assert (
        len(rows) < 2 or sum(emptiest) > limit
    )  # first fit never leaves two rows that would fit in one


def test_packing_is_the_greedy_one() -> None:
    assert pack_rows([3, 5, 2, 4, 1], 6) == [[1, 4], [3, 2], [0]]
    assert pack_rows([], 6) == []


def test_a_packed_row_keeps_targets_and_weights_beside_their_tokens() -> None:
    first = Example(
        np.array([1, 7, 8]), np.array([IGNORE_INDEX, 4, 5]), np.array([0, 2, 2], np.float32)
    )
    second = Example(np.array([1, 9]), np.array([6, IGNORE_INDEX]), np.array([1, 0], np.float32))
    batch = PackedExamples([first, second]).batch([[0, 1], [1]])
    assert batch.tokens.tolist() == [[1, 7, 8, 1, 9], [1, 9, 0, 0, 0]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 0, 1], [0, 1, 0, 0, 0]]
    assert batch.targets.tolist() == [
        [IGNORE_INDEX, 4, 5, 6, IGNORE_INDEX],
        [6] + [IGNORE_INDEX] * 4,
    ]
    assert batch.weights.tolist() == [[0, 2, 2, 1, 0], [1, 0, 0, 0, 0]]


def test_a_tree_row_says_who_sees_whom() -> None:
    batch = tree_batch(
        [np.array([1, 5, 6])], [[Suffix(3, np.array([7, 2])), Suffix(1, np.array([8, 2]))]]
    )
    assert batch.tokens.tolist() == [[1, 5, 6, 7, 2, 8, 2]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 3, 4, 1, 2]]
    assert batch.mask[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 1, 0, 0],
        [1, 0, 0, 0, 0, 1, 0],
        [1, 0, 0, 0, 0, 1, 1],
    ]
    assert (batch.rows.tolist(), batch.columns.tolist()) == ([0, 0], [4, 6])


def test_prompts_are_padded_on_the_right() -> None:
    tokens, positions, last = prompt_batch([np.array([1, 5, 6]), np.array([1])])
    assert tokens.tolist() == [[1, 5, 6], [1, 0, 0]]
    assert positions.tolist() == [[0, 1, 2], [0, 1, 2]]
    assert last.tolist() == [2, 0]


@given(st.lists(st.integers(1, 30), max_size=40).map(sorted), st.integers(1, 100))
def test_batches_stay_within_their_tokens(lengths: list[int], limit: int) -> None:
    groups = list(token_batches(lengths, limit))
    assert [index for group in groups for index in group] == list(range(len(lengths)))
    for group in groups:
        assert len(group) * max(lengths[index] for index in group) <= limit or len(group) == 1
