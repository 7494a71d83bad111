"""Chunks to lists: users come together whatever the chunks and partitions, also those who share a
hash.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.backbones.cooccurrence.encoded_batches import encode_batches
from llm_i2i_spark.backbones.cooccurrence.item_ids import Items, collect_items
from llm_i2i_spark.backbones.cooccurrence.packed_lists import unpack
from llm_i2i_spark.backbones.cooccurrence.user_lists import (
    LEAST_ROWS,
    NO_CAP,
    PART_ROWS,
    Dictionary,
    build_lists,
    number_chunks,
    user_parts,
)
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.kernels.edge_format import ITEM_SHIFT, SYNTHETIC
from tests.kernels.plain_lists import Lists, unraveled

N_ITEMS = 6
HASHES = np.array([40, -3, 2**62, 7, -(2**63), 0])  # of items 0 to 5
LOTS = np.arange(N_ITEMS, dtype=np.int32)
# The first two share the longer hash, the second and third the shorter one.
USERS = [(5, 1), (5, 2), (-9, 2), (2**63 - 1, -4)]
Row = tuple[int, int, float | None]  # user, item, weight where synthetic
rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, N_ITEMS - 1), st.none() | st.floats(0.01, 1)),
    min_size=1,
    max_size=40,
)


def chunk_of(rows: list[Row]) -> Iterator[pa.RecordBatch]:
    """A chunk as a task receives it, with the hashes of its dictionary."""
    columns = {
        "user": pa.array([USERS[row[0]][0] for row in rows], pa.int64()),
        "key": pa.array([USERS[row[0]][1] for row in rows], pa.int32()),
    }
    columns |= {
        "item_id": pa.array([str(row[1]) for row in rows]),
        "weight": pa.array([row[2] for row in rows], pa.float64()),
    }
    for chunk in encode_batches(iter([pa.RecordBatch.from_pydict(columns)])):
        yield chunk.append_column(
            "hashes", pa.array([[HASHES[int(item)] for item in chunk.column("items")[0].as_py()]])
        )


def lists_of(rows: list[Row], chunk_rows: int, parts: int) -> Lists:
    order = np.argsort(HASHES)
    dictionary = Dictionary(HASHES[order], order.astype(np.uint32))
    chunks = [
        chunk
        for first in range(0, len(rows), chunk_rows)
        for chunk in chunk_of(rows[first : first + chunk_rows])
    ]
    pieces = pa.Table.from_batches(number_chunks(iter(chunks), dictionary, parts))
    found: Lists = []
    for part in range(parts):
        own = pieces.filter(pc.equal(pieces["part"], part)).to_batches()
        lists = unpack(build_lists(iter(own), LOTS, NO_CAP))
        found += unraveled(lists) if lists else []
    return sorted(found)


def plain(rows: list[Row]) -> Lists:
    wanted = []
    for user, (_, key) in enumerate(USERS):
        kept: dict[int, float | None] = {}
        for _, item, weight in sorted(
            (row for row in rows if row[0] == user), key=lambda row: -(row[2] or 2.0)
        ):
            kept.setdefault(item, weight)
        edges = [item << ITEM_SHIFT | (SYNTHETIC if kept[item] else 0) for item in sorted(kept)]
        if len(edges) > 1:
            wanted.append((key, edges, [weight for item in sorted(kept) if (weight := kept[item])]))
    return sorted(wanted)


@settings(max_examples=150, deadline=None)
@given(rows, st.integers(1, 45), st.sampled_from([1, 2, 3, 64]))
def test_lists_equal_a_plain_grouping_for_any_chunks_and_partitions(rows, chunk_rows, parts):
    assert lists_of(rows, chunk_rows, parts) == plain(rows)


def test_users_who_share_the_longer_hash_stay_two():
    draw = random.Random(3)
    rows: list[Row] = [(draw.randrange(2), draw.randrange(N_ITEMS), None) for _ in range(60)]
    lists = lists_of(rows, chunk_rows=7, parts=2)
    assert [key for key, _, _ in lists] == [1, 2]
    assert lists == plain(rows)


@pytest.mark.parametrize(
    ("rows", "cores", "parts"),
    [(0, 8, 1), (LEAST_ROWS, 8, 1), (LEAST_ROWS + 1, 8, 2), (10**7, 8, 8), (10**8, 8, 50)],
)
def test_partitions_keep_the_cores_busy_and_fit_a_task(rows, cores, parts):
    nothing = np.empty(0, np.int64)
    items = Items(None, np.array([rows]), LOTS, 0, nothing, nothing)  # type: ignore[arg-type]
    assert user_parts(items, cores) == parts
    assert rows / parts <= PART_ROWS


@pytest.mark.spark
def test_two_items_with_one_hash_are_refused_with_a_way_out(spark):
    twice = [("a", 0, 3, 5), ("b", 1, 3, 5), ("a", 2, 3, 5)]
    table = spark.createDataFrame(twice, "item_id string, item int, clicks long, lot int")
    with pytest.raises(UserError, match=r"seed=42.*another seed"):
        collect_items(table, 42)
    items = collect_items(table.where("item < 2"), 42)
    assert sorted(items.by_hash.tolist()) == [0, 1]
    assert (np.diff(items.hashes) > 0).all()
