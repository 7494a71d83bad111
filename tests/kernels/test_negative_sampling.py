"""Negatives: never an item that the user has, each other one as often as it should be."""

from __future__ import annotations

import numpy as np
import pytest

from llm_i2i_spark.kernels.negative_sampling import NegativeSampler

ITEMS = 6
USERS = np.array([0, 0, 0, 0, 0, 1, 1, 2], np.int64)
OWN = np.array([5, 4, 3, 1, 0, 0, 1, 1], np.int64)
POPULARITY = np.bincount(OWN, minlength=ITEMS)


def drawn_by(sampler: NegativeSampler, user: int, times: int, seed: int = 1) -> np.ndarray:
    """How often each item was drawn for a user."""
    users = np.full(times, user, np.int64)
    return np.bincount(sampler.draw(users, np.random.default_rng(seed)), minlength=ITEMS)


def test_no_item_of_the_user_is_drawn_and_all_others_are_equally_often():
    sampler = NegativeSampler(USERS, OWN, ITEMS)
    assert drawn_by(sampler, 0, 50).tolist() == [0, 0, 50, 0, 0, 0]
    found = drawn_by(sampler, 1, 40_000)
    assert found[:2].tolist() == [0, 0]
    assert found[2:] == pytest.approx([10_000] * 4, rel=0.05)
    assert (drawn_by(sampler, 3, 1000) > 0).all()  # nobody's: may be anything


def test_by_popularity_items_are_drawn_by_their_interactions():
    sampler = NegativeSampler(USERS, OWN, ITEMS, by_popularity=True)
    found = drawn_by(sampler, 2, 60_000)
    wanted = np.where(np.arange(ITEMS) == 1, 0, POPULARITY)
    assert found / 60_000 == pytest.approx(wanted / wanted.sum(), abs=0.01)


def test_the_order_of_the_interactions_does_not_matter():
    order = np.random.default_rng(3).permutation(len(USERS))
    users = np.random.default_rng(4).integers(0, 3, 500)
    found = [
        NegativeSampler(*rows, ITEMS).draw(users, np.random.default_rng(5))
        for rows in ((USERS, OWN), (USERS[order], OWN[order]))
    ]
    assert np.array_equal(*found)


def test_has_tells_pairs_apart():
    sampler = NegativeSampler(USERS, OWN, ITEMS)
    every_user, every_item = (a.ravel() for a in np.meshgrid(np.arange(4), np.arange(ITEMS)))
    pairs = set(zip(USERS.tolist(), OWN.tolist(), strict=True))
    wanted = [pair in pairs for pair in zip(every_user.tolist(), every_item.tolist(), strict=True)]
    assert sampler.has(every_user, every_item).tolist() == wanted


@pytest.mark.parametrize("by_popularity", [False, True])
def test_any_item_is_drawn_as_often_as_is_said(by_popularity):
    sampler = NegativeSampler(USERS, OWN, ITEMS, by_popularity)
    drawn = sampler.draw_any(60_000, np.random.default_rng(1))
    said = sampler.probabilities(np.arange(ITEMS))
    assert said.sum() == pytest.approx(1.0)
    assert said == pytest.approx(POPULARITY / 8 if by_popularity else np.full(ITEMS, 1 / 6))
    assert np.bincount(drawn, minlength=ITEMS) / 60_000 == pytest.approx(said, abs=0.01)
