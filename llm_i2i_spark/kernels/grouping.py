"""From the rows of some users to their lists: sorted, each item once, long lists drawn down."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llm_i2i_spark.backbones.cooccurrence.encoded_batches import changes
from llm_i2i_spark.kernels.csr import UserLists, draw_each, read_only
from llm_i2i_spark.kernels.edge_format import ITEM_SHIFT, SYNTHETIC

USER_SHIFT = np.uint64(32)


class Rows(NamedTuple):
    """Rows in any order.

    Attributes:
        users: indexes into the users' keys.
        edges: with the bit SYNTHETIC.
        weights: empty where every edge is real.
        positions: the place in the user's sequence; empty where lists are wanted by item number.
    """

    users: npt.NDArray[np.uint32]
    edges: npt.NDArray[np.uint32]
    weights: npt.NDArray[np.float64]
    positions: npt.NDArray[np.int32]

    def take(self, chosen: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Rows:
        """Some of the rows, in the order asked for."""
        weights = self.weights[chosen] if len(self.weights) else self.weights
        positions = self.positions[chosen] if len(self.positions) else self.positions
        return Rows(self.users[chosen], self.edges[chosen], weights, positions)


def group_by_user(
    rows: Rows, keys: npt.NDArray[np.int32], lots: npt.NDArray[np.int32], most_items: int
) -> UserLists:
    """The lists of the users of some rows, each (user, item) once: the real row before a synthetic
    one, then the heavier, the earlier.

    Args:
        rows: of whole users; one at least.
        keys: by user.
        lots: by item number, for the lottery of long lists.
        most_items: edges kept of a longer list, those with the lowest numbers in the lottery.

    Returns:
        Lists of two edges or more.
    """
    rows = _one_row_an_item(rows)
    lengths = np.bincount(rows.users, minlength=len(keys))
    if lengths.max(initial=0) > most_items:
        rows = _draw_rows(rows, lengths, keys, lots, most_items)
        lengths = np.minimum(lengths, most_items)
    if (lengths == 1).any():
        rows = rows.take(lengths[rows.users] > 1)
        lengths[lengths == 1] = 0
    if len(rows.positions):
        rows = rows.take(np.lexsort((rows.edges, rows.positions, rows.users)))
    weights = rows.weights[_is_synthetic(rows)] if len(rows.weights) else rows.weights
    kept = lengths > 0
    offsets = np.append(0, np.cumsum(lengths[kept], dtype=np.int64))
    return UserLists(*map(read_only, (keys[kept], offsets, rows.edges, weights)))


def _one_row_an_item(rows: Rows) -> Rows:
    """Sort by user and edge; of the rows of one edge keep the greatest weight and the least
    position, of those of one item the first.
    """
    sorted_by = rows.users.astype(np.uint64) << USER_SHIFT | rows.edges
    if len(rows.weights) or len(rows.positions):
        order = np.argsort(sorted_by)
        sorted_by, rows = sorted_by[order], rows.take(order)
    else:
        sorted_by.sort()
    starts = np.flatnonzero(changes(sorted_by))
    weights, positions = rows.weights, rows.positions
    if len(starts) < len(sorted_by):
        weights = np.maximum.reduceat(weights, starts) if len(weights) else weights
        positions = np.minimum.reduceat(positions, starts) if len(positions) else positions
        sorted_by = sorted_by[starts]
    once = Rows(
        (sorted_by >> USER_SHIFT).astype(np.uint32), sorted_by.astype(np.uint32), weights, positions
    )
    first = changes(sorted_by >> np.uint64(ITEM_SHIFT))
    return once if first.all() else once.take(first)


def _draw_rows(
    rows: Rows,
    lengths: npt.NDArray[np.int64],
    keys: npt.NDArray[np.int32],
    lots: npt.NDArray[np.int32],
    most: int,
) -> Rows:
    """Of the longer lists keep the rows with the lowest numbers in the lottery, in their order."""
    long = np.flatnonzero(lengths[rows.users] > most)
    users = rows.users[long]
    numbers = draw_each(keys[users], lots[rows.edges[long] >> ITEM_SHIFT])
    order = np.lexsort((numbers, users))
    starts = np.flatnonzero(changes(users))
    rank = np.arange(len(long)) - np.repeat(starts, np.diff(starts, append=len(long)))
    kept = np.ones(len(rows.users), np.bool_)
    kept[long[order[rank >= most]]] = False
    return rows.take(kept)


def _is_synthetic(rows: Rows) -> npt.NDArray[np.bool_]:
    return (rows.edges & SYNTHETIC).astype(np.bool_)
