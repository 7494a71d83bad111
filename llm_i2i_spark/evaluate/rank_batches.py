"""From Arrow batches of a user's lists to their ranks: what runs in the executors' Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llm_i2i_spark.kernels.list_merge import step_weights
from llm_i2i_spark.kernels.ranking import UserNeighbors, rank_targets
from llm_i2i_spark.lake.user_batches import list_offsets, list_values, user_starts, whole_users

RANKED_DDL = (
    "system int, user_id string, target bigint, history int, better int, ties int,"
    " recommended array<bigint>"
)
"""Columns of `rank_batches`, as Spark DDL."""

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


def rank_batches(
    batches: Iterable[pa.RecordBatch], top: int, decay: float
) -> Iterator[pa.RecordBatch]:
    """Rank the target of every user.

    Args:
        batches: rows (system, user_id, target, history, step, owned, neighbors, scores), those of a
            system and user next to each other from step 0 on; a user's rows may be cut by the end
            of a batch. `owned` stands in the row of step 0.
        top: how many recommended items to keep a user.
        decay: weight of a click relative to the next later one.

    Yields:
        One row a system and user, with the columns of `RANKED_SCHEMA`.
    """
    for rows in whole_users(batches):
        yield _rank(rows, top, decay)


def _rank(rows: pa.RecordBatch, top: int, decay: float) -> pa.RecordBatch:
    starts = user_starts(rows)
    bounds = np.append(starts, rows.num_rows)
    owned, neighbors, scores = (rows.column(name) for name in ("owned", "neighbors", "scores"))
    steps = rows.column("step").to_numpy(zero_copy_only=False)
    ranks = rank_targets(
        UserNeighbors(
            target=rows.column("target").to_numpy(zero_copy_only=False)[starts],
            owned_indptr=list_offsets(owned)[bounds],
            owned=_numbers(owned),
            list_indptr=bounds,
            weight=step_weights(decay, int(steps.max()) + 1)[steps],
            entry_indptr=list_offsets(neighbors),
            neighbor=_numbers(neighbors),
            score=_numbers(scores),
        ),
        top,
    )
    first = pa.array(starts)
    kept = ("system", "user_id", "target", "history")
    columns = [pc.take(rows.column(name), first) for name in kept]
    recommended = pa.ListArray.from_arrays(
        pa.array(ranks.top_indptr, pa.int32()), pa.array(ranks.top)
    )
    return pa.RecordBatch.from_arrays(
        [
            *columns,
            pa.array(ranks.better),
            pa.array(ranks.ties),
            recommended.cast(RANKED_SCHEMA.field("recommended").type),
        ],
        schema=RANKED_SCHEMA,
    )


def _numbers(lists: pa.ListArray) -> Any:
    return list_values(lists).to_numpy(zero_copy_only=False)
