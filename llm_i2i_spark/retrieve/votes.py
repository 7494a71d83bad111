"""The votes of retrieved examples: what similar users took next, each counted by similarity."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Int64Array = NDArray[np.int64]
Float64Array = NDArray[np.float64]


class Votes(NamedTuple):
    """Examples retrieved for some users, one after the other.

    Attributes:
        user: [n] index of the user, ascending.
        example: [n] index of the example, of a user the most similar first.
        item: [n] index of the item that was taken in the example.
        similarity: [n] of user and example.
    """

    user: Int64Array
    example: Int64Array
    item: Int64Array
    similarity: Float64Array


class Proposals(NamedTuple):
    """Items that the votes propose, by user, the largest share first, then by item.

    Attributes:
        user: [m] index of the user.
        item: [m] index of the item.
        rank: [m] from 1.
        share: [m] of the user's votes, in (0, 1].
        indptr: [m + 1] offsets into the next two: the votes for each proposal.
        vote: [v] index in the votes given, the most similar first.
        vote_share: [v] of the user's votes.
    """

    user: Int64Array
    item: Int64Array
    rank: Int64Array
    share: Float64Array
    indptr: Int64Array
    vote: Int64Array
    vote_share: Float64Array


def count_votes(
    votes: Votes, owned: tuple[Int64Array, Int64Array], temperature: float, per_user: int
) -> Proposals:
    """The items with most votes. share(i | u) is the sum of exp(s(u, e) / T) over the retrieved
    examples e in which i was taken, divided by that over all retrieved examples.

    This is the distribution of a nearest-neighbour language model (Khandelwal et al. 2020), over
    items.

    Args:
        votes: of the users.
        owned: user and item of the pairs that must not be proposed; their votes count in the sum
            that others are divided by.
        temperature: T.
        per_user: items of a user at most.
    """
    shares = _vote_shares(votes, temperature)
    stride = int(max(votes.item.max(initial=0), owned[1].max(initial=0))) + 1
    pairs, pair = np.unique(votes.user * stride + votes.item, return_inverse=True)
    share = np.bincount(pair, weights=shares, minlength=len(pairs))
    open_pairs = ~np.isin(pairs, owned[0] * stride + owned[1]) & (share > 0)
    user, item = pairs // stride, pairs % stride
    order = np.lexsort((item, -share, user))
    order = order[open_pairs[order]]
    rank = np.arange(len(order)) - np.searchsorted(user[order], user[order]) + 1
    order, rank = order[rank <= per_user], rank[rank <= per_user]
    proposal = np.full(len(pairs), -1, np.int64)
    proposal[order] = np.arange(len(order))
    of_vote = proposal[pair]
    vote = np.argsort(of_vote, kind="stable")[int((of_vote < 0).sum()) :]
    counts = np.bincount(of_vote[vote], minlength=len(order))
    return Proposals(
        user=user[order],
        item=item[order],
        rank=rank,
        share=np.minimum(share[order], 1.0),
        indptr=np.r_[0, np.cumsum(counts)].astype(np.int64),
        vote=vote,
        vote_share=shares[vote],
    )


def _vote_shares(votes: Votes, temperature: float) -> Float64Array:
    """[n] softmax of similarity / temperature over the votes of each user."""
    starts = np.flatnonzero(np.diff(votes.user, prepend=-1))
    sizes = np.diff(starts, append=len(votes.user))
    # The most similar comes first, and its vote is the largest.
    highest = np.repeat(votes.similarity[starts], sizes)
    weights = np.exp((votes.similarity - highest) / temperature)
    of_user = np.repeat(np.arange(len(starts)), sizes)
    sums = np.bincount(of_user, weights=weights, minlength=len(starts))
    return np.asarray(weights / np.repeat(sums, sizes), np.float64)
