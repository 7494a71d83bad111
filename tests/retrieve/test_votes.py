"""The votes of retrieved examples, against their definition in plain Python."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from llm_i2i_spark.retrieve.votes import Votes, count_votes

TEMPERATURE, PER_USER, USERS, ITEMS, NEIGHBORS = 0.1, 3, 12, 6, 9


def made_up_votes() -> Votes:
    random = np.random.default_rng(5)
    similarity = -np.sort(-np.round(random.uniform(-1, 1, (USERS, NEIGHBORS)), 2), axis=1)
    return Votes(
        user=np.repeat(np.arange(USERS), NEIGHBORS),
        example=random.integers(0, 100, USERS * NEIGHBORS),
        item=random.integers(0, ITEMS, USERS * NEIGHBORS),
        similarity=similarity.reshape(-1),
    )


def plain_shares(votes: Votes, user: int) -> dict[int, float]:
    """Share by item, straight from the definition."""
    of_user = np.flatnonzero(votes.user == user)
    weights = {n: exp(votes.similarity[n] / TEMPERATURE) for n in of_user}
    shares: dict[int, float] = {}
    for n, weight in weights.items():
        item = int(votes.item[n])
        shares[item] = shares.get(item, 0.0) + weight / sum(weights.values())
    return shares


def test_shares_are_those_of_the_definition_and_owned_items_are_left_out() -> None:
    votes = made_up_votes()
    owned = np.array([0, 0, 4]), np.array([1, 2, 5])
    found = count_votes(votes, owned, TEMPERATURE, PER_USER)
    assert np.array_equal(np.unique(found.user), np.arange(USERS))
    for user in range(USERS):
        shares = plain_shares(votes, user)
        for item in owned[1][owned[0] == user]:
            shares.pop(int(item), None)
        ranked = sorted(shares, key=lambda item: (-shares[item], item))[:PER_USER]
        of_user = found.user == user
        assert found.item[of_user].tolist() == ranked
        assert found.rank[of_user].tolist() == list(range(1, len(ranked) + 1))
        assert found.share[of_user] == pytest.approx([shares[item] for item in ranked])


def test_every_proposal_names_its_votes_and_they_add_up_to_its_share() -> None:
    votes = made_up_votes()
    found = count_votes(votes, (np.empty(0, np.int64),) * 2, TEMPERATURE, PER_USER)
    for number, (user, item) in enumerate(zip(found.user, found.item, strict=True)):
        behind = found.vote[found.indptr[number] : found.indptr[number + 1]]
        assert (
            behind.tolist() == np.flatnonzero((votes.user == user) & (votes.item == item)).tolist()
        )
        of_proposal = found.vote_share[found.indptr[number] : found.indptr[number + 1]]
        assert of_proposal.sum() == pytest.approx(found.share[number])


def test_users_apart_get_what_they_get_together() -> None:
    votes = made_up_votes()
    nothing = (np.empty(0, np.int64),) * 2
    together = count_votes(votes, nothing, TEMPERATURE, PER_USER)
    for user in range(USERS):
        own = votes.user == user
        apart = count_votes(Votes(*(column[own] for column in votes)), nothing, TEMPERATURE, 3)
        assert np.array_equal(apart.item, together.item[together.user == user])
        assert np.array_equal(apart.share, together.share[together.user == user])


def test_without_votes_nothing_is_proposed() -> None:
    nothing = np.empty(0, np.int64)
    found = count_votes(Votes(nothing, nothing, nothing, np.empty(0)), (nothing, nothing), 1.0, 5)
    assert (len(found.item), found.indptr.tolist()) == (0, [0])
