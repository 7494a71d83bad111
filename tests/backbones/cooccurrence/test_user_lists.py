"""Encoded batches to users' rows: users come together whatever the batches and partitions, also
those who share a hash.
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
from llm_i2i_spark.backbones.cooccurrence.item_ids import ItemIds, collect_item_ids
from llm_i2i_spark.backbones.cooccurrence.packed_lists import unpack
from llm_i2i_spark.backbones.cooccurrence.user_lists import (
    LEAST_ROWS,
    PARTITION_ROWS,
    Dictionary,
    count_partitions,
    group_slices,
    slice_batches,
)
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.kernels.edge_format import ITEM_SHIFT, NO_CAP, SYNTHETIC, WEIGHTED
from tests.kernels.plain_csr import Rows, to_rows

N_ITEMS = 6
PROPOSED = SYNTHETIC | WEIGHTED
ID_HASHES = np.array([40, -3, 2**62, 7, -(2**63), 0])  # of items 0 to 5
ITEM_HASHES = np.arange(N_ITEMS, dtype=np.int32)
# The first two share the longer hash, the second and third the shorter one.
USERS = [(5, 1), (5, 2), (-9, 2), (2**63 - 1, -4)]
Row = tuple[int, int, float | None]  # user, item, weight where synthetic
interactions = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, N_ITEMS - 1), st.none() | st.floats(0.01, 1)),
    min_size=1,
    max_size=40,
)


def encode(rows: list[Row]) -> Iterator[pa.RecordBatch]:
    """An encoded batch as a task receives it, with the hashes of its dictionary."""
    columns = {
        "user": pa.array([USERS[row[0]][0] for row in rows], pa.int64()),
        "key": pa.array([USERS[row[0]][1] for row in rows], pa.int32()),
        "item_id": pa.array([str(row[1]) for row in rows]),
        "weight": pa.array([row[2] for row in rows], pa.float64()),
        "synthetic": pa.array([row[2] is not None for row in rows]),
    }
    for batch in encode_batches(iter([pa.RecordBatch.from_pydict(columns)])):
        hashes = [ID_HASHES[int(item)] for item in batch.column("items")[0].as_py()]
        yield batch.append_column("id_hashes", pa.array([hashes]))


def grouped(rows: list[Row], batch_rows: int, partitions: int) -> Rows:
    order = np.argsort(ID_HASHES)
    dictionary = Dictionary(ID_HASHES[order], order.astype(np.uint32))
    batches = [
        batch
        for first in range(0, len(rows), batch_rows)
        for batch in encode(rows[first : first + batch_rows])
    ]
    slices = pa.Table.from_batches(slice_batches(iter(batches), dictionary, partitions))
    found: Rows = []
    for partition in range(partitions):
        own = slices.filter(pc.equal(slices["partition"], partition)).to_batches()
        csr = unpack(group_slices(iter(own), ITEM_HASHES, NO_CAP))
        found += to_rows(csr) if csr else []
    return sorted(found)


def plain(rows: list[Row]) -> Rows:
    wanted = []
    for user, (_, key) in enumerate(USERS):
        kept: dict[int, float | None] = {}
        for _, item, weight in sorted(
            (row for row in rows if row[0] == user), key=lambda row: -(row[2] or 2.0)
        ):
            kept.setdefault(item, weight)
        edges = [item << ITEM_SHIFT | (PROPOSED if kept[item] else 0) for item in sorted(kept)]
        if len(edges) > 1:
            wanted.append((key, edges, [weight for item in sorted(kept) if (weight := kept[item])]))
    return sorted(wanted)


@settings(max_examples=150, deadline=None)
@given(interactions, st.integers(1, 45), st.sampled_from([1, 2, 3, 64]))
def test_rows_equal_a_plain_grouping_for_any_batches_and_partitions(rows, batch_rows, partitions):
    assert grouped(rows, batch_rows, partitions) == plain(rows)


def test_users_who_share_the_longer_hash_stay_two():
    draw = random.Random(3)
    rows: list[Row] = [(draw.randrange(2), draw.randrange(N_ITEMS), None) for _ in range(60)]
    found = grouped(rows, batch_rows=7, partitions=2)
    assert [key for key, _, _ in found] == [1, 2]
    assert found == plain(rows)


@pytest.mark.parametrize(
    ("rows", "cores", "partitions"),
    [(0, 8, 1), (LEAST_ROWS, 8, 1), (LEAST_ROWS + 1, 8, 2), (10**7, 8, 8), (10**8, 8, 50)],
)
def test_partitions_keep_the_cores_busy_and_fit_a_task(rows, cores, partitions):
    nothing = np.empty(0, np.int64)
    items = ItemIds(None, np.array([rows]), ITEM_HASHES, 0, nothing, nothing)  # type: ignore[arg-type]
    assert count_partitions(items, cores) == partitions
    assert rows / partitions <= PARTITION_ROWS


@pytest.mark.spark
def test_two_items_with_one_hash_are_refused_with_a_way_out(spark):
    rows = [("a", 0, 3, 5, 7), ("b", 1, 3, 5, -2), ("c", 2, 3, 5, 7)]
    columns = "item_id string, item_idx int, clicks long, hash int, id_hash long"
    table = spark.createDataFrame(rows, columns)
    with pytest.raises(UserError, match=r"seed=42.*another seed"):
        collect_item_ids(table, 42)
    items = collect_item_ids(table.where("item_idx < 2"), 42)
    assert items.id_hashes.tolist() == [-2, 7]
    assert items.index_of_hash.tolist() == [1, 0]
