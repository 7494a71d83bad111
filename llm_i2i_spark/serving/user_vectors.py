"""Users' own vectors, and the best items of every user by them: user-to-item, for a backbone that
learns a network for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llm_i2i_spark.base.errors import require_at_least_one
from llm_i2i_spark.kernels.arrays import Float32Array, Int64Array
from llm_i2i_spark.kernels.nearest_rows import best_of_rows
from llm_i2i_spark.kernels.user_network import history_means, user_vectors
from llm_i2i_spark.lake.user_batches import list_offsets, list_values
from llm_i2i_spark.serving.recommendations import DDL, ENTRY, SCHEMA
from llm_i2i_spark.serving.rows import id_order

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from llm_i2i_spark.lake.frames import Frame

SCORE_BYTES = 128 * 2**20
"""Of the scores that a task holds at a time."""
VECTORS_DDL = "user_id string, embedding array<float>"
_VECTORS = pa.schema([("user_id", pa.string()), ("embedding", pa.list_(pa.float32()))])


@dataclass(frozen=True)
class UserModel:
    """What makes a user's vector and scores items by it: x . y, with x = network(mean of the
    vectors of the user's latest items).

    Attributes:
        item_ids: (items,) strings, shorter ids first, then by text.
        vectors: [items, dims], y.
        layers: [out, in + 1] each, of the network, weights and bias side by side.
        history: so many of a user's latest items are read.
    """

    item_ids: pa.Array
    vectors: Float32Array
    layers: tuple[Float32Array, ...]
    history: int

    @classmethod
    def from_rows(cls, embeddings: pa.Table, units: pa.Table, history: int) -> UserModel:
        """The model of one backbone and variant.

        Args:
            embeddings: `item_id, embedding`, of the table `item_embeddings`.
            units: `layer, unit, weights`, of the table `user_networks`; at least one row.
            history: as the attribute.
        """
        ids = embeddings.column("item_id").combine_chunks()
        order, _ = id_order(ids)
        rows = embeddings.column("embedding").combine_chunks()
        vectors = list_values(rows).to_numpy().reshape(len(ids), -1)[order].astype(np.float32)
        sorted_units = units.sort_by([("layer", "ascending"), ("unit", "ascending")]).to_pylist()
        layers = [
            [unit["weights"] for unit in sorted_units if unit["layer"] == number]
            for number in range(sorted_units[-1]["layer"] + 1)
        ]
        return cls(
            ids.take(pa.array(order)),
            vectors,
            tuple(np.array(layer, np.float32) for layer in layers),
            history,
        )

    def of_users(self, rows: pa.RecordBatch) -> tuple[Int64Array, Float32Array]:
        """The vectors of those users who have an item that has one.

        Args:
            rows: `clicks list<string>, weights list<double>`, a row a user.

        Returns:
            The rows of these users, and their vectors, [users, dims].
        """
        clicks = rows.column("clicks")
        lengths = np.diff(list_offsets(clicks))
        items = self.numbers(list_values(clicks))
        known = items >= 0
        user = np.repeat(np.arange(rows.num_rows), lengths)[known]
        found, first = np.unique(user, return_index=True)
        if not len(found):
            return found, np.empty((0, self.vectors.shape[1]), np.float32)
        weights = list_values(rows.column("weights")).to_numpy(zero_copy_only=False)[known]
        offsets = np.append(first, len(user))
        means = history_means(self.vectors, items[known], weights, offsets)
        return found, user_vectors(means, self.layers)

    def numbers(self, ids: pa.Array) -> Int64Array:
        """The row of each item in `vectors`; -1 for one that has none."""
        found = pc.fill_null(pc.index_in(ids, self.item_ids), -1)
        numbers: Int64Array = found.to_numpy(zero_copy_only=False).astype(np.int64)
        return numbers


def vectors_of_users(interactions: Frame, model: UserModel) -> DataFrame:
    """The vector of every user, to search items by inner product.

    Args:
        interactions: `user_id, item_id, position, weight`, of Spark or pandas, larger positions
            later; rows without a position are not read.
        model: as it was learned.

    Returns:
        `user_id string, embedding array<float>`, a row a user with an item that the model knows.
    """
    return _users(interactions, model).mapInArrow(partial(_embed, model=model), VECTORS_DDL)


def recommend_by_vectors(interactions: Frame, model: UserModel, k: int = 10) -> DataFrame:
    """The best items of every user by x . y, without those that the user has.

    The vectors of all items are sent to every task, 256 bytes an item at 64 dimensions; larger
    catalogues are searched with `vectors_of_users` in an index of one's own.

    Args:
        interactions: as for `vectors_of_users`.
        model: as it was learned.
        k: items a user at most.

    Returns:
        `user_id, recommendations array<struct<item_id, score, rank>>`, as `recommend_users` gives
        them; empty where no item of the user has a vector.

    Raises:
        ConfigError: `k` is below 1.
    """
    require_at_least_one("k", k)
    return _users(interactions, model).mapInArrow(partial(_recommend, model=model, k=k), DDL)


def _users(interactions: Frame, model: UserModel) -> DataFrame:
    """`user_id, owned, clicks, weights`: all items of a user, and the latest, latest first."""
    from pyspark.sql import functions as F

    from llm_i2i_spark.lake.frames import require_columns, spark_frame, text_ids

    frame = spark_frame(interactions)
    require_columns(frame, ("user_id", "item_id", "position", "weight"), "The interactions")
    clicks = text_ids(frame, ("user_id", "item_id")).where(F.col("position").isNotNull())
    struct = F.struct("position", "item_id", F.col("weight").cast("double").alias("weight"))
    users = clicks.groupBy("user_id").agg(
        F.sort_array(F.collect_list(struct), asc=False).alias("rows")
    )
    latest = F.slice("rows", 1, model.history)
    return users.select(
        "user_id",
        F.transform("rows", lambda row: row["item_id"]).alias("owned"),
        F.transform(latest, lambda row: row["item_id"]).alias("clicks"),
        F.transform(latest, lambda row: row["weight"]).alias("weights"),
    )


def _embed(batches: Iterable[pa.RecordBatch], model: UserModel) -> Iterator[pa.RecordBatch]:
    for rows in batches:
        found, vectors = model.of_users(rows)
        offsets = np.arange(len(found) + 1, dtype=np.int32) * np.int32(vectors.shape[1])
        users = rows.column("user_id").take(pa.array(found)).cast(pa.string())
        lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(vectors.ravel()))
        yield pa.RecordBatch.from_arrays([users, lists], schema=_VECTORS)


def _recommend(
    batches: Iterable[pa.RecordBatch], model: UserModel, k: int
) -> Iterator[pa.RecordBatch]:
    at_once = max(1, SCORE_BYTES // (4 * max(len(model.item_ids), 1)))
    for batch in batches:
        for first in range(0, batch.num_rows, at_once):
            yield _best_items(batch.slice(first, at_once), model, k)


def _best_items(rows: pa.RecordBatch, model: UserModel, k: int) -> pa.RecordBatch:
    found, vectors = model.of_users(rows)
    scores = vectors @ model.vectors.T
    owned = rows.column("owned").take(pa.array(found))
    had = model.numbers(list_values(owned))
    user = np.repeat(np.arange(len(found)), np.diff(list_offsets(owned)))
    scores[user[had >= 0], had[had >= 0]] = -np.inf
    columns = np.arange(len(model.item_ids), dtype=np.uint32)
    counts, items, values = best_of_rows(scores, columns, min(k, len(columns)), -np.inf)
    offsets = np.zeros(rows.num_rows + 1, np.int64)
    offsets[found + 1] = counts
    offsets = np.cumsum(offsets)
    rank = np.arange(len(items)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    entries = pa.StructArray.from_arrays(
        [
            model.item_ids.take(pa.array(items)),
            pa.array(values.astype(np.float64)),
            pa.array(rank, pa.int32()),
        ],
        fields=list(ENTRY),
    )
    top = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), entries)
    users = rows.column("user_id").cast(pa.string())
    return pa.RecordBatch.from_arrays([users, top.cast(SCHEMA.field(1).type)], schema=SCHEMA)
