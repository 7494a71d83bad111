"""Came, went, moved and rescored, against a plain loop over random lists."""

from __future__ import annotations

import numpy as np
import pytest

from llm_i2i_spark.kernels.list_changes import Entries, Lists, list_changes

Version = dict[int, dict[int, float]]
N = 12


def _random(rng: np.random.Generator) -> Version:
    items = rng.permutation(N)[: rng.integers(0, N)]
    return {
        int(item): {
            int(one): float(rng.integers(0, 3)) for one in rng.permutation(N)[: rng.integers(0, N)]
        }
        for item in items
    }


def _lists(version: Version) -> Lists:
    lengths = [len(one) for one in version.values()]
    return Lists(
        np.array(list(version), np.int64),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.array([one for of_item in version.values() for one in of_item], np.int64),
        np.array([score for of_item in version.values() for score in of_item.values()]),
    )


def _ranks(version: Version) -> dict[tuple[int, int], int]:
    return {
        (item, one): rank
        for item, of_item in version.items()
        for rank, one in enumerate(of_item, start=1)
    }


def _rows(entries: Entries) -> list[tuple[int, ...]]:
    return [tuple(map(int, row)) for row in zip(*entries, strict=True)]


@pytest.mark.parametrize("seed", range(20))
def test_changes_are_those_of_a_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = _random(rng), _random(rng)
    found = list_changes(_lists(before), _lists(after), N)
    old, new = _ranks(before), _ranks(after)
    both = sorted(old.keys() & new.keys())
    assert _rows(found.came) == sorted((*key, 0, new[key]) for key in new.keys() - old.keys())
    assert _rows(found.went) == sorted((*key, old[key], 0) for key in old.keys() - new.keys())
    moved = [(*key, old[key], new[key]) for key in both if old[key] != new[key]]
    assert _rows(found.moved) == moved
    rescored = [i for i, j in both if before[i][j] != after[i][j]]
    assert found.rescored.tolist() == rescored
