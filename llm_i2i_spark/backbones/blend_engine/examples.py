"""What a blend is trained on: users' last interactions, and what the components offer in their
place.

The users are a sample, so this costs the same for any log; what is sent to the tasks is in
proportion to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.blend_engine.arrow_lists import lists_of, ranges
from llm_i2i_spark.backbones.blend_engine.components import ComponentBlocks, make_lists
from llm_i2i_spark.backbones.blend_engine.mix import MixTask, some_lists
from llm_i2i_spark.backbones.blend_engine.sample import Requests, Sample
from llm_i2i_spark.kernels.arrays import Float64Array, Int32Array, Int64Array, run_starts
from llm_i2i_spark.kernels.candidates import choose_candidates
from llm_i2i_spark.kernels.mixture import MixedLists
from llm_i2i_spark.kernels.pair_features import pair_features
from llm_i2i_spark.lake.grouped_map import map_each

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.blend import Blend

USERS_PER_TASK = 1000
MIXED = "user int, step int, neighbors array<int>, scores array<double>"
CANDIDATES = "user int, candidates array<int>, weights array<double>"
PAIRS = "user int, step int, candidates array<int>, mixture array<double>, features array<float>"


def find_examples(
    blend: Blend,
    blocks: ComponentBlocks,
    weights: Float64Array,
    users: DataFrame,
    sample: Sample,
) -> DataFrame:
    """The training examples of the combiner: columns of the table `combiner_examples` without its
    scope.

    Args:
        blend: how many candidates.
        blocks: of the components, which know nothing of the held-out interactions.
        weights: of `learn_weights`.
        users: of `sample_users`, already computed.
        sample: the same, collected.
    """
    task = MixTask(make_lists(blocks), weights, blend.top_k)
    tasks = max(1, -(-len(sample.target) // USERS_PER_TASK))
    mixed = blocks.frame.mapInArrow(
        partial(mixed_of_requests, task=task, requests=sample.requests), MIXED
    ).withColumn("task", F.floor(F.col("user") / USERS_PER_TASK).cast("int"))
    choose = partial(
        candidates_of_users,
        sample=sample,
        decay=blend.decay,
        best=blend.best_candidates,
        sampled=blend.sampled_candidates,
    )
    read = map_each(mixed, "task", tasks, choose, CANDIDATES).orderBy("user").toArrow()
    chosen = _Chosen.of(read, len(sample.target))
    pairs = blocks.frame.mapInArrow(
        partial(pairs_of_requests, task=task, requests=sample.requests, chosen=chosen), PAIRS
    )
    return _as_examples(pairs, users, read, blend)


def mixed_of_requests(
    batches: Iterator[pa.RecordBatch], task: MixTask, requests: Requests
) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: the mixed list of each request."""
    for lists in task.maker.blocks(batches):
        request, row = requests.of_block(lists.items)
        wanted, row = np.unique(row, return_inverse=True)
        mixed = task.mix(some_lists(lists, wanted, len(task.maker.names)))
        starts, lengths = mixed.indptr[row], np.diff(mixed.indptr)[row]
        entries = ranges(starts, lengths)
        yield pa.RecordBatch.from_pydict(
            {
                "user": requests.user[request],
                "step": requests.step[request],
                "neighbors": lists_of(mixed.neighbors[entries], lengths),
                "scores": lists_of(mixed.mixture[entries], lengths),
            }
        )


def candidates_of_users(
    batches: Iterator[pa.RecordBatch], sample: Sample, decay: float, best: int, sampled: int
) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: the lists of some users to the candidates of each."""
    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    table = pa.Table.from_batches(received)
    order = np.lexsort((table["step"].to_numpy(), table["user"].to_numpy()))
    table = table.take(pa.array(order)).combine_chunks()
    users, steps = table["user"].to_numpy(), table["step"].to_numpy()
    neighbors, scores = (table[name].combine_chunks() for name in ("neighbors", "scores"))
    indptr = neighbors.offsets.to_numpy().astype(np.int64)
    items, values = neighbors.flatten().to_numpy(), scores.flatten().to_numpy()
    starts = np.flatnonzero(run_starts(users))
    found = []
    for start, end in zip(starts, np.r_[starts[1:], len(users)], strict=True):
        user = users[start]
        found.append(
            choose_candidates(
                int(sample.target[user]),
                sample.owned[sample.owned_indptr[user] : sample.owned_indptr[user + 1]],
                decay ** steps[start:end].astype(np.float64),
                indptr[start : end + 1],
                items,
                values,
                best,
                sampled,
                int(sample.key[user]),
            )
        )
    lengths = np.array([len(one.items) for one in found])
    kept = lengths > 0
    yield pa.RecordBatch.from_pydict(
        {
            "user": users[starts][kept],
            "candidates": lists_of(np.concatenate([one.items for one in found]), lengths[kept]),
            "weights": lists_of(np.concatenate([one.weight for one in found]), lengths[kept]),
        }
    )


def pairs_of_requests(
    batches: Iterator[pa.RecordBatch], task: MixTask, requests: Requests, chosen: _Chosen
) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: for each request the candidates of its user that are in the
    mixed list, with mixture and features.
    """
    for lists in task.maker.blocks(batches):
        request, row = requests.of_block(lists.items)
        has_candidates = np.diff(chosen.indptr)[requests.user[request]] > 0
        request, row = request[has_candidates], row[has_candidates]
        wanted, row = np.unique(row, return_inverse=True)
        mixed = task.mix(some_lists(lists, wanted, len(task.maker.names)))
        entries, slots, lengths = _entries_of_candidates(mixed, row, requests.user[request], chosen)
        features = pair_features(mixed, task.maker.arrays)
        width = features.shape[1]
        yield pa.RecordBatch.from_pydict(
            {
                "user": requests.user[request],
                "step": requests.step[request],
                "candidates": lists_of(slots, lengths),
                "mixture": lists_of(mixed.mixture[entries], lengths),
                "features": lists_of(features[entries].ravel(), lengths * width),
            }
        )


def _entries_of_candidates(
    mixed: MixedLists, row: Int64Array, user: Int32Array, chosen: _Chosen
) -> tuple[Int64Array, Int32Array, Int64Array]:
    """Of each request the entries of its list that are candidates of its user, the number of each
    candidate, and how many there are.
    """
    lengths = np.diff(mixed.indptr)[row]
    entries = ranges(mixed.indptr[row], lengths)
    request = np.repeat(np.arange(len(row)), lengths)
    keys = (user[request].astype(np.int64) << 32) | mixed.neighbors[entries]
    places = np.minimum(np.searchsorted(chosen.keys, keys), max(len(chosen.keys) - 1, 0))
    hits = chosen.keys[places] == keys if len(chosen.keys) else np.zeros(len(keys), bool)
    return (
        entries[hits],
        chosen.slots[places[hits]] if hits.any() else np.empty(0, np.int32),
        np.bincount(request[hits], minlength=len(row)),
    )


@dataclass(frozen=True)
class _Chosen:
    """The candidates of all users, to be searched.

    Attributes:
        indptr: (users + 1,) how many candidates each has, as offsets.
        keys: (candidates,) user << 32 | item index, ascending.
        slots: (candidates,) number of the candidate within its user.
    """

    indptr: Int64Array
    keys: Int64Array
    slots: Int32Array

    @classmethod
    def of(cls, table: pa.Table, users: int) -> _Chosen:
        """From columns `CANDIDATES`, ordered by user."""
        lists = table["candidates"].combine_chunks()
        if isinstance(lists, pa.ChunkedArray):  # without one piece
            lists = pa.array([], pa.list_(pa.int32()))
        lengths = np.zeros(users, np.int64)
        lengths[table["user"].to_numpy()] = np.diff(lists.offsets.to_numpy())
        indptr = np.r_[0, np.cumsum(lengths)]
        user = np.repeat(np.arange(users), lengths)
        keys = (user.astype(np.int64) << 32) | lists.flatten().to_numpy()
        slots = (np.arange(len(keys)) - indptr[user]).astype(np.int32)
        order = np.argsort(keys)
        return cls(indptr, keys[order], slots[order])


def _as_examples(pairs: DataFrame, users: DataFrame, read: pa.Table, blend: Blend) -> DataFrame:
    """One row a user."""
    spark = pairs.sparkSession
    weights = spark.createDataFrame(
        read.select(["user", "weights"]).rename_columns(["user", "candidate_weights"])
    )
    lookup = [blend.decay**step for step in range(blend.history)]
    by_step = F.sort_array(
        F.collect_list(F.struct("step", "candidates", "mixture", "features"))
    ).alias("lists")
    recent = F.flatten(
        F.transform("lists", lambda one: F.array_repeat(one["step"], F.size(one["candidates"])))
    )
    grouped = pairs.groupBy("user").agg(by_step)
    of_user = users.select("user", "user_id", "item_id", "recent_items", "loss_weight")
    return (
        grouped.join(F.broadcast(weights), "user")
        .join(F.broadcast(of_user), "user")
        .select(
            "user_id",
            "item_id",
            "recent_items",
            F.slice(F.array(*map(F.lit, lookup)), F.lit(1), F.size("recent_items")).alias(
                "recent_weights"
            ),
            "candidate_weights",
            recent.alias("pair_recent"),
            F.flatten("lists.candidates").alias("pair_candidate"),
            F.flatten("lists.mixture").alias("mixture"),
            F.flatten("lists.features").alias("features"),
            "loss_weight",
        )
    )
