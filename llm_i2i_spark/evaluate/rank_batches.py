"""From Arrow batches of users and of the lists they clicked to ranks: what runs in the executors'
Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llm_i2i_spark.kernels.arrays import Float64Array, Int64Array
from llm_i2i_spark.kernels.list_merge import WeightedLists, step_weights
from llm_i2i_spark.kernels.ranking import UserQueries, rank_targets
from llm_i2i_spark.lake.user_batches import list_offsets, list_values

RANKED_DDL = (
    "system int, user_id string, target bigint, history int, better int, ties int,"
    " recommended array<bigint>"
)
"""Columns of `rank_part`, as Spark DDL."""

RANKED_SCHEMA = pa.schema(
    [
        ("system", pa.int32()),
        ("user_id", pa.string()),
        ("target", pa.int64()),
        ("history", pa.int32()),
        ("better", pa.int32()),
        ("ties", pa.int32()),
        ("recommended", pa.list_(pa.int64())),
    ]
)
USER_COLUMNS = ("user_id", "target", "history", "owned", "clicks")
LIST_COLUMNS = ("system", "item", "neighbors", "scores")
USERS_AT_A_TIME = 2_000


class ItemLists(NamedTuple):
    """The neighbour lists of one system.

    Attributes:
        item: (items,) item keys, rising.
        start: (items,) first entry of the item's list.
        end: (items,) entry behind its last one.
        neighbor: (entries,) item keys.
        score: (entries,)
    """

    item: Int64Array
    start: Int64Array
    end: Int64Array
    neighbor: Int64Array
    score: Float64Array


def rank_part(
    batches: Iterable[pa.RecordBatch], n_systems: int, top: int, decay: float
) -> Iterator[pa.RecordBatch]:
    """Rank the target of every user of a part in every system.

    Args:
        batches: all rows of the part in any order: those of its users, with `USER_COLUMNS`, and
            those of the lists that they clicked, with `LIST_COLUMNS`. `item` is null in the rows of
            users. `clicks` are item keys, latest first.
        n_systems: how many systems there are.
        top: how many recommended items to keep a user.
        decay: weight of a click relative to the next later one.

    Yields:
        One row a system and user, with the columns of `RANKED_SCHEMA`.
    """
    users, lists = [], []
    for batch in batches:
        of_list = pc.is_valid(batch.column("item"))
        lists.append(batch.select(LIST_COLUMNS).filter(of_list))
        users.append(batch.select(USER_COLUMNS).filter(pc.invert(of_list)))
    systems = [_lists_of(lists, system) for system in range(n_systems)]
    lists.clear()
    for batch in users:
        for first in range(0, batch.num_rows, USERS_AT_A_TIME):
            rows = batch.slice(first, USERS_AT_A_TIME)
            for system, known in enumerate(systems):
                yield _rank(rows, system, known, top, decay)


def _lists_of(batches: Sequence[pa.RecordBatch], system: int) -> ItemLists:
    """The lists of a system, by item."""
    kept = [batch.filter(pc.equal(batch.column("system"), system)) for batch in batches]
    item, lengths, neighbor, score = [], [], [], []
    for batch in kept:
        item.append(_numbers(batch.column("item")))
        lengths.append(np.diff(list_offsets(batch.column("neighbors"))))
        neighbor.append(_numbers(list_values(batch.column("neighbors"))))
        score.append(_numbers(list_values(batch.column("scores"))))
    items = np.concatenate([np.empty(0, np.int64), *item])
    end = np.cumsum(np.concatenate([np.empty(0, np.int64), *lengths]))
    start = end - np.concatenate([np.empty(0, np.int64), *lengths])
    order = np.argsort(items)
    return ItemLists(
        items[order],
        start[order],
        end[order],
        np.concatenate([np.empty(0, np.int64), *neighbor]),
        np.concatenate([np.empty(0), *score]),
    )


def _rank(
    rows: pa.RecordBatch, system: int, known: ItemLists, top: int, decay: float
) -> pa.RecordBatch:
    clicks, owned = rows.column("clicks"), rows.column("owned")
    keys, offsets = _numbers(list_values(clicks)), list_offsets(clicks)
    steps = np.arange(len(keys)) - np.repeat(offsets[:-1], np.diff(offsets))
    place = np.searchsorted(known.item, keys)
    listed = np.zeros(len(keys), bool)
    within = place < len(known.item)
    listed[within] = known.item[place[within]] == keys[within]
    place = place[listed]
    lists = WeightedLists(
        known.start[place],
        known.end[place],
        step_weights(decay, int(steps.max(initial=-1)) + 1)[steps[listed]],
        known.neighbor,
        known.score,
        np.empty(0),
    )
    ranks = rank_targets(
        UserQueries(
            target=_numbers(rows.column("target")),
            owned_indptr=list_offsets(owned),
            owned=_numbers(list_values(owned)),
            list_indptr=np.concatenate([np.zeros(1, np.int64), np.cumsum(listed)])[offsets],
        ),
        lists,
        top,
    )
    recommended = pa.ListArray.from_arrays(
        pa.array(ranks.top_indptr, pa.int32()), pa.array(ranks.top)
    )
    return pa.RecordBatch.from_arrays(
        [
            pa.array(np.full(rows.num_rows, system, np.int32)),
            *(rows.column(name) for name in ("user_id", "target", "history")),
            pa.array(ranks.better),
            pa.array(ranks.ties),
            recommended.cast(RANKED_SCHEMA.field("recommended").type),
        ],
        schema=RANKED_SCHEMA,
    )


def _numbers(values: Any) -> Any:
    return values.to_numpy(zero_copy_only=False)
