"""The top list of every user, by the merge that is evaluated and that a lookup makes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from llm_i2i_spark.base.errors import require_at_least_one
from llm_i2i_spark.base.exports import open_export
from llm_i2i_spark.base.files import require_file_place
from llm_i2i_spark.base.sections.index import IndexConfig
from llm_i2i_spark.kernels.list_merge import WeightedLists, recommend, step_weights
from llm_i2i_spark.lake.user_batches import list_offsets, list_values, user_starts, whole_users
from llm_i2i_spark.serving.index_frame import select_index
from llm_i2i_spark.serving.rows import id_order

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from llm_i2i_spark.lake.frames import Frame

DEFAULTS = IndexConfig()
ENTRY = pa.struct([("item_id", pa.string()), ("score", pa.float64()), ("rank", pa.int32())])
SCHEMA = pa.schema([("user_id", pa.string()), ("recommendations", pa.list_(ENTRY))])
DDL = "user_id string, recommendations array<struct<item_id: string, score: double, rank: int>>"
JSON_LINES = ".jsonl"


def recommend_users(
    index: Frame,
    interactions: Frame,
    k: int = 10,
    recent_items: int = DEFAULTS.recent_items,
    decay: float = DEFAULTS.decay,
    variant: str | None = None,
    backbone: str | None = None,
) -> DataFrame:
    """The best items of every user, each as `Lookup.recommend` gives them, to the bit.

    Args:
        index: of Spark or pandas, with the columns of the table `item_index`; `variant` and
            `backbone` may be left out where it holds one index.
        interactions: of Spark or pandas, `user_id`, `item_id` and `position` (or `ts`), later ones
            larger; of rows with the same, the item of the later id (by text) counts as the later
            click. An item that a user has twice counts where it is last.
        k: items a user at most.
        recent_items: how many of a user's latest items bring their list.
        decay: weight of an item relative to the next later one.
        variant: of the lists; None for the preferred one (see `Lookup.open`).
        backbone: likewise.

    Returns:
        A row a user: `user_id string, recommendations array<struct<item_id, score, rank>>`, best
        first, ranks from 1; empty where the index knows none of the user's latest items.

    Raises:
        UserError: a column is missing, the index has no such lists, or `k` is below 1.
    """
    from pyspark.sql import functions as F

    from llm_i2i_spark.lake.click_lists import lists_of_clicks

    require_at_least_one("k", k)
    chosen, _, _ = select_index(index, variant, backbone)
    lists = chosen.select(
        "item_id",
        F.transform("neighbors", lambda neighbor: neighbor["item_id"]).alias("neighbors"),
        F.transform("neighbors", lambda neighbor: neighbor["score"]).alias("scores"),
    )
    rows = lists_of_clicks(_queries(interactions, recent_items), lists)
    return rows.mapInArrow(partial(_recommend_batches, k=k, decay=decay), DDL)


def write_recommendations(recommendations: DataFrame, path: str | Path) -> int:
    """Write the lists of all users, by user, as one file that appears when it is complete, with its
    manifest (see `base.exports`).

    Args:
        recommendations: from `recommend_users`.
        path: a local path or URI; JSON lines where it ends in `.jsonl`, else Parquet.

    Returns:
        The number of users.

    Raises:
        ConfigError: no file can be written there.
    """
    from llm_i2i_spark.lake.arrow_batches import stream_batches

    require_file_place(path)
    batches = stream_batches(recommendations.orderBy("user_id"))
    write = _write_json if str(path).endswith(JSON_LINES) else _write_parquet
    with open_export(path) as export:
        export.rows = write(batches, export.stream)
        return export.rows


def _queries(interactions: Frame, recent_items: int) -> DataFrame:
    """`user_id, owned, clicks`: all items of a user, and the latest, latest first."""
    from pyspark.sql import functions as F

    from llm_i2i_spark.lake.frames import require_columns, spark_frame, text_ids

    frame = spark_frame(interactions)
    order = "ts" if "ts" in frame.columns and "position" not in frame.columns else "position"
    require_columns(frame, ("user_id", "item_id", order), "The interactions")
    log = text_ids(frame, ("user_id", "item_id"))
    latest = log.groupBy("user_id", "item_id").agg(F.max(order).alias("last"))
    rows = F.sort_array(F.collect_list(F.struct("last", "item_id")), asc=False)
    users = latest.groupBy("user_id").agg(rows.alias("rows"))
    items = F.transform("rows", lambda row: row["item_id"])
    return users.select(
        "user_id",
        items.alias("owned"),
        F.slice(items, 1, recent_items).alias("clicks"),
    )


def _recommend_batches(
    batches: Iterable[pa.RecordBatch], k: int, decay: float
) -> Iterator[pa.RecordBatch]:
    """Rows of `SCHEMA` from rows of `click_lists.lists_of_clicks`."""
    for rows in whole_users(batches):
        yield _recommend(rows, k, decay)


def _recommend(rows: pa.RecordBatch, k: int, decay: float) -> pa.RecordBatch:
    starts = user_starts(rows)
    bounds = np.append(starts, rows.num_rows)
    steps = rows.column("step").to_numpy(zero_copy_only=False)
    owned, neighbors = rows.column("owned"), rows.column("neighbors")
    ids, owned_keys, neighbor_keys = _keys(list_values(owned), list_values(neighbors))
    offsets = list_offsets(neighbors)
    lists = WeightedLists(
        offsets[:-1],
        offsets[1:],
        step_weights(decay, int(steps.max()) + 1)[steps],
        neighbor_keys,
        list_values(rows.column("scores")).to_numpy(zero_copy_only=False),
        np.empty(0, np.float64),
    )
    found = recommend(lists, bounds, owned_keys, list_offsets(owned)[bounds], k)
    position = np.arange(found.indptr[-1]) - np.repeat(found.indptr[:-1], np.diff(found.indptr))
    entries = pa.StructArray.from_arrays(
        [
            ids.take(pa.array(found.key)),
            pa.array(found.score),
            pa.array(position + 1, pa.int32()),
        ],
        fields=list(ENTRY),
    )
    top = pa.ListArray.from_arrays(pa.array(found.indptr, pa.int32()), entries)
    users = rows.column("user_id").take(pa.array(starts)).cast(pa.string())
    return pa.RecordBatch.from_arrays([users, top.cast(SCHEMA.field(1).type)], schema=SCHEMA)


def _keys(
    owned: pa.Array, neighbors: pa.Array
) -> tuple[pa.Array, NDArray[np.int32], NDArray[np.int32]]:
    """Numbers for the ids of a batch that order them as ties are ordered: shorter ids first, then
    text.

    Returns:
        (ids by number, numbers of `owned`, numbers of `neighbors`).
    """
    encoded = pa.concat_arrays([owned, neighbors]).dictionary_encode()
    order, number = id_order(encoded.dictionary)
    codes = number[encoded.indices.to_numpy(zero_copy_only=False)]
    return encoded.dictionary.take(pa.array(order)), codes[: len(owned)], codes[len(owned) :]


def _write_parquet(batches: Iterable[pa.RecordBatch], file: Any) -> int:
    users = 0
    with pq.ParquetWriter(file, SCHEMA, compression="zstd", write_page_checksum=True) as writer:
        for batch in batches:
            writer.write_batch(batch.cast(SCHEMA))
            users += batch.num_rows
    return users


def _write_json(batches: Iterable[pa.RecordBatch], file: Any) -> int:
    users = 0
    for batch in batches:
        for row in batch.to_pylist():
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        users += batch.num_rows
    return users
