"""Interactions as arrays for a training loop: users and items as whole numbers, the same for any
order of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llm_i2i_spark.kernels.arrays import Float32Array, Int64Array

COLUMNS = ("user_id", "item_id", "weight")
"""Of the table `fused`, what every backbone learns from."""


def columns_for(needs_order: bool) -> tuple[str, ...]:
    """The columns of the table `fused` that a backbone learns from.

    Args:
        needs_order: whether the order of a user's interactions matters to it.
    """
    return (*COLUMNS, "position") if needs_order else COLUMNS


@dataclass(frozen=True)
class InteractionMatrix:
    """Which user has which item, and how much that counts.

    Attributes:
        users: (n,) user of each interaction, numbered from 0 in the order of their ids as bytes.
        items: (n,) its item, numbered likewise; of one user they ascend.
        weights: (n,) in (0, 1].
        n_users: how many users there are.
        item_ids: (items,) the id of each item.
        positions: (n,) rank in the user's history, -1 for an interaction that has none (a model
            proposed it); None where the order was not read.
    """

    users: Int64Array
    items: Int64Array
    weights: Float32Array
    n_users: int
    item_ids: pa.Array
    positions: Int64Array | None = None

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self.item_ids)


def interaction_matrix(rows: pa.Table) -> InteractionMatrix:
    """The interactions of a table in one order, whatever order they come in.

    Args:
        rows: `user_id string, item_id string, weight double`, and `position int` where the order
            matters; a (user, item) stands once.
    """
    users, user_ids = _numbered(rows.column("user_id"))
    items, item_ids = _numbered(rows.column("item_id"))
    # A weight that float32 takes for 0 would make a mean over such weights undefined.
    least = np.finfo(np.float32).tiny
    weights = np.maximum(rows.column("weight").to_numpy(), least).astype(np.float32)
    order = np.lexsort((items, users))
    positions = None
    if "position" in rows.column_names:
        known = pc.fill_null(rows.column("position").cast(pa.int64()), -1)
        positions = known.to_numpy()[order]
    return InteractionMatrix(
        users[order], items[order], weights[order], len(user_ids), item_ids, positions
    )


def _numbered(ids: pa.ChunkedArray) -> tuple[Int64Array, pa.Array]:
    """The number of each id, and the distinct ids in the order of their bytes."""
    if len(ids) == 0:
        return np.empty(0, np.int64), pa.array([], pa.string())
    parts = [*ids.cast(pa.string()).dictionary_encode().unify_dictionaries().iterchunks()]
    found = parts[0].dictionary
    order = pc.sort_indices(found)
    number = np.empty(len(found), np.int64)
    number[order.to_numpy()] = np.arange(len(found))
    return number[np.concatenate([part.indices.to_numpy() for part in parts])], found.take(order)
