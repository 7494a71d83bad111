"""From Arrow batches of a user's lists to their ranks: what runs in the executors' Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llm_i2i_spark.kernels.ranking import Ints, UserLists, rank_targets

RANKED_DDL = (
    "system int, user_id string, target bigint, better int, ties int, recommended array<bigint>"
)
"""Columns of `rank_batches`, as Spark DDL."""

RANKED_SCHEMA = pa.schema(
    [
        ("system", pa.int32()),
        ("user_id", pa.string()),
        ("target", pa.int64()),
        ("better", pa.int32()),
        ("ties", pa.int32()),
        ("recommended", pa.list_(pa.int64())),
    ]
)


def rank_batches(batches: Iterable[pa.RecordBatch], top: int) -> Iterator[pa.RecordBatch]:
    """Rank the target of every user.

    Args:
        batches: rows (system, user_id, target, step, weight, owned, neighbors, scores), those of a
            system and user next to each other from step 0 on; a user's rows may be cut by the end
            of a batch. `owned` stands in the row of step 0.
        top: how many recommended items to keep a user.

    Yields:
        One row a system and user, with the columns of `RANKED_SCHEMA`.
    """
    kept: list[pa.RecordBatch] = []
    for batch in batches:
        starts = _user_starts(batch)
        if len(starts) == 0:
            kept.append(batch)
            continue
        # The last user may go on in the next batch, so they wait for it.
        whole = [*kept, batch.slice(0, starts[-1])]
        if sum(part.num_rows for part in whole):
            yield _rank(pa.concat_batches(whole), top)
        kept = [batch.slice(starts[-1])]
    if sum(part.num_rows for part in kept):
        yield _rank(pa.concat_batches(kept), top)


def _user_starts(batch: pa.RecordBatch) -> Ints:
    return np.flatnonzero(batch.column("step").to_numpy(zero_copy_only=False) == 0)


def _rank(rows: pa.RecordBatch, top: int) -> pa.RecordBatch:
    starts = _user_starts(rows)
    bounds = np.append(starts, rows.num_rows)
    owned, neighbors, scores = (rows.column(name) for name in ("owned", "neighbors", "scores"))
    ranks = rank_targets(
        UserLists(
            target=rows.column("target").to_numpy(zero_copy_only=False)[starts],
            owned_start=_offsets(owned)[bounds],
            owned=_values(owned),
            list_start=bounds,
            weight=rows.column("weight").to_numpy(zero_copy_only=False),
            entry_start=_offsets(neighbors),
            neighbor=_values(neighbors),
            score=_values(scores),
        ),
        top,
    )
    first = pa.array(starts)
    columns = [pc.take(rows.column(name), first) for name in ("system", "user_id", "target")]
    recommended = pa.ListArray.from_arrays(
        pa.array(ranks.top_start, pa.int32()), pa.array(ranks.top)
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


def _offsets(lists: pa.ListArray) -> Ints:
    """Where each list starts within `_values`, and where the last one ends."""
    offsets: Ints = lists.offsets.to_numpy().astype(np.int64)
    offsets -= offsets[0]
    return offsets


def _values(lists: pa.ListArray) -> Any:
    """The values of the lists of a possibly sliced array, without those before and after it."""
    return lists.flatten().to_numpy(zero_copy_only=False)
