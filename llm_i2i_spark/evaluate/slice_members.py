"""Which slices items and users belong to."""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.evaluate.slices import BUCKETS, USER_SLICES
from llm_i2i_spark.kernels.arrays import BoolArray, Int64Array


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
