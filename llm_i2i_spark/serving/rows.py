"""The rows of an index in its two forms: a list an item, or a row a neighbour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llm_i2i_spark.base.errors import InputDataError

NEIGHBOR = pa.struct(
    [
        pa.field("item_id", pa.string()),
        pa.field("score", pa.float64()),
        pa.field("rank", pa.int32()),
        pa.field("synthetic_share", pa.float64()),
    ]
)

INDEX_SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("neighbors", pa.list_(NEIGHBOR), nullable=False),
    ]
)
"""A list an item, best neighbour first, as in the table `item_index`."""

NEIGHBOR_SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
        pa.field("neighbor_id", pa.string(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
    ]
)
"""A row a neighbour, as files and SQL tables hold them; the form that `evaluate-index` reads."""


def id_order(ids: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The order of ids that decides among equal scores: shorter ids first (by code points), then by
    UTF-8 bytes.

    Returns:
        (positions of the ids in that order, rank of every id in it, from 0).
    """
    by_text = pc.sort_indices(ids).to_numpy().astype(np.int64)
    lengths = pc.utf8_length(ids).to_numpy()
    order: NDArray[np.int64] = by_text[np.argsort(lengths[by_text], kind="stable")]
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return order, rank


def flat_lists(batch: pa.RecordBatch) -> Iterator[tuple[str, list[str], list[float]]]:
    """The rows of a batch of `INDEX_SCHEMA` as (item_id, neighbour ids, scores)."""
    lists = batch.column("neighbors")
    offsets = lists.offsets.to_numpy()
    entries = lists.flatten()
    ids, scores = (entries.field(name).to_pylist() for name in ("item_id", "score"))
    for item, first, last in zip(
        batch.column("item_id").to_pylist(),
        (offsets[:-1] - offsets[0]).tolist(),
        (offsets[1:] - offsets[0]).tolist(),
        strict=True,
    ):
        yield item, ids[first:last], scores[first:last]


def as_neighbor_rows(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch of `INDEX_SCHEMA` as rows of `NEIGHBOR_SCHEMA`, in the same order."""
    lists = batch.column("neighbors")
    owner = np.repeat(np.arange(batch.num_rows), np.diff(lists.offsets.to_numpy()))
    entries = lists.flatten()
    return pa.RecordBatch.from_arrays(
        [
            batch.column("item_id").take(pa.array(owner)),
            entries.field("rank"),
            entries.field("item_id"),
            entries.field("score"),
        ],
        schema=NEIGHBOR_SCHEMA,
    )


def make_lists(
    items: pa.Array, indptr: NDArray[np.int64], neighbors: tuple[pa.Array, ...]
) -> pa.RecordBatch:
    """A batch of `INDEX_SCHEMA`.

    Args:
        items: (items,) ids.
        indptr: (items + 1,) offsets into the neighbours, from 0.
        neighbors: ids, scores, ranks and synthetic shares of all lists, one after the other.
    """
    entries = pa.StructArray.from_arrays(list(neighbors), fields=list(NEIGHBOR))
    lists = pa.ListArray.from_arrays(pa.array(indptr, pa.int32()), entries)
    return pa.RecordBatch.from_arrays(
        [items, lists.cast(INDEX_SCHEMA.field("neighbors").type)], schema=INDEX_SCHEMA
    )


def as_lists(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Rows of neighbours as batches of `INDEX_SCHEMA`, without synthetic shares.

    Args:
        batches: with the columns of `NEIGHBOR_SCHEMA`, ids of any type; the rows of an item stand
            next to each other in the order of their rank, and may be cut by the end of a batch.

    Raises:
        InputDataError: a field is empty, or ranks do not ascend.
    """
    kept: pa.RecordBatch | None = None
    for batch in batches:
        fitted = _fit(batch)
        rows = fitted if kept is None else pa.concat_batches([kept, fitted])
        starts = _item_starts(rows)
        if len(starts) > 1:
            yield _group(rows.slice(0, int(starts[-1])), starts)
        # The last item may go on in the next batch.
        kept = rows.slice(int(starts[-1])) if len(starts) else rows
    if kept is not None and kept.num_rows:
        yield _group(kept, np.array([0, kept.num_rows]))


def _fit(batch: pa.RecordBatch) -> pa.RecordBatch:
    rows = batch.select(NEIGHBOR_SCHEMA.names)
    empty = sum(column.null_count for column in rows.columns)
    if empty or pc.any(pc.is_nan(rows.column("score"))).as_py():
        raise InputDataError(
            "Rows of the index file have an empty field or a score that is not a number; remove"
            " them first."
        )
    return rows.cast(NEIGHBOR_SCHEMA)


def _item_starts(rows: pa.RecordBatch) -> NDArray[np.int64]:
    """The first row of each run of rows with the same item."""
    codes = rows.column("item_id").dictionary_encode().indices.to_numpy()
    return np.flatnonzero(np.diff(codes, prepend=-1))


def _group(rows: pa.RecordBatch, bounds: NDArray[np.int64]) -> pa.RecordBatch:
    ascends = np.diff(rows.column("rank").to_numpy()) > 0
    ascends[bounds[1:-1] - 1] = True
    if not ascends.all():
        raise InputDataError(
            "The rows of an item in the index file must be in the order of their rank, as"
            " `llm-i2i index-export` writes them; sort the file by item_id and rank."
        )
    names = ("neighbor_id", "score", "rank")
    neighbors = (*(rows.column(name) for name in names), pa.nulls(rows.num_rows, pa.float64()))
    return make_lists(rows.column("item_id").take(pa.array(bounds[:-1])), bounds, neighbors)
