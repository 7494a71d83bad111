"""Slices: kinds of items, by how often they were interacted with, and of users, by how often they
interacted.
"""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.kernels.arrays import BoolArray, Int64Array

BUCKETS = {
    "new": "never seen",
    "seen_1_4": "1–4 interactions",
    "seen_5_9": "5–9",
    "seen_10_19": "10–19",
    "seen_20_49": "20–49",
    "seen_50_up": "50 or more",
}
"""Slices by popularity: interactions with the item that the models have seen."""

BUCKET_EDGES = (0, 1, 5, 10, 20, 50)
"""Lower end of each of `BUCKETS`, in interactions."""

ITEM_SLICES = ("all", "long_tail", "long_tail_train", "head", *BUCKETS)
"""Kinds of items. In `long_tail` are the items of the bottom share by interactions in the whole
log, in `long_tail_train` those by interactions in the training fold, in `head` what is not in
`long_tail`.
"""

USER_SLICES = {
    "history_0": "no interaction",
    "history_1_4": "1–4 interactions",
    "history_5_9": "5–9",
    "history_10_19": "10–19",
    "history_20_49": "20–49",
    "history_50_up": "50 or more",
}
"""Kinds of users, by their interactions before the held-out one, with the edges of `BUCKETS`."""

SLICES = (*ITEM_SLICES, *USER_SLICES)
"""Kinds of held-out interactions: those of the item, then those of the user."""

SLICE_TITLES = (
    {
        "all": "all items",
        "long_tail": "long tail",
        "long_tail_train": "long tail (training fold)",
        "head": "head",
        "new": "new items",
    }
    | {name: f"seen {words}" for name, words in list(BUCKETS.items())[1:]}
    | {name: f"users with {words}" for name, words in USER_SLICES.items()}
)


def item_members(bucket: Int64Array, long_tail: BoolArray, long_tail_train: BoolArray) -> BoolArray:
    """Which of `ITEM_SLICES` items belong to: (items, slices).

    Args:
        bucket: (items,) position in `BUCKETS`.
        long_tail: (items,) in the bottom share by count in the whole log.
        long_tail_train: (items,) in the bottom share by count in the training fold.
    """
    parts = [np.ones(len(bucket), bool), long_tail, long_tail_train, ~long_tail]
    parts += [bucket == position for position in range(len(BUCKETS))]
    return np.stack(parts, axis=1).astype(bool)


def user_members(history: Int64Array) -> BoolArray:
    """Which of `USER_SLICES` users belong to: (users, slices).

    Args:
        history: (users,) last of `BUCKET_EDGES` that the user's earlier interactions reach, by
            position.
    """
    members: BoolArray = history[:, np.newaxis] == np.arange(len(USER_SLICES))
    return members
