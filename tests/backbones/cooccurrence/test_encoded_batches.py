"""Interactions to encoded batches: nothing is lost or added, users lie together, a dictionary holds
each item once.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.backbones.cooccurrence import encoded_batches
from llm_i2i_spark.backbones.cooccurrence.encoded_batches import (
    ARRAYS,
    encode_batches,
    encode_rows,
)
from llm_i2i_spark.backbones.cooccurrence.item_ids import build_item_ids
from llm_i2i_spark.backbones.cooccurrence.packed_lists import values
from llm_i2i_spark.kernels.edge_format import ITEM_BITS, ITEM_SHIFT, SYNTHETIC, WEIGHTED

users = st.tuples(st.sampled_from([-(2**63), -1, 0, 7, 2**63 - 1]), st.integers(-2, 1))
interactions = st.lists(
    st.tuples(
        users,
        st.sampled_from(["a", "b", "é", "", "a longer id"]),
        st.none() | st.floats(0, 1),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)
Row = tuple[tuple[int, int], str, float | None, bool]  # hashes, item, weight, synthetic


def encoded(rows: list[Row], batch_rows: int) -> list[pa.RecordBatch]:
    batches = []
    for first in range(0, len(rows), batch_rows):
        own, items, weights, synthetic = zip(*rows[first : first + batch_rows], strict=True)
        columns = {
            "user": pa.array([user for user, _ in own], pa.int64()),
            "key": pa.array([key for _, key in own], pa.int32()),
            "item_id": pa.array(items),
            "weight": pa.array(weights, pa.float64()),
            "synthetic": pa.array(synthetic),
            "position": pa.array(range(first, first + len(own)), pa.int32()),
        }
        batches.append(pa.RecordBatch.from_pydict(columns))
    return list(encode_batches(iter(batches)))


def decoded(batch: pa.RecordBatch) -> list[tuple[Row, int]]:
    """The rows of an encoded batch, each with its position."""
    arrays = {name: values(batch, name, kind).tolist() for name, kind in ARRAYS.items()}
    items, weights = batch.column("items")[0].as_py(), iter(arrays["weights"])
    of_users = zip(arrays["users"], arrays["keys"], arrays["lengths"], strict=True)
    of_rows = [(user, key) for user, key, length in of_users for _ in range(length)]
    found = []
    for user, entry, position in zip(of_rows, arrays["entries"], arrays["positions"], strict=True):
        weight = next(weights) if entry & WEIGHTED else None
        row = (user, items[entry >> ITEM_SHIFT], weight, bool(entry & SYNTHETIC))
        found.append((row, position))
    assert next(weights, None) is None
    return found


@settings(max_examples=150, deadline=None)
@given(interactions, st.integers(1, 50))
def test_an_encoded_batch_has_just_the_rows_it_was_made_of(rows, batch_rows):
    (batch,) = encoded(rows, batch_rows)
    assert sorted(decoded(batch), key=lambda row: row[1]) == [
        (row, position) for position, row in enumerate(rows)
    ]
    items, clicks = (batch.column(name)[0].as_py() for name in ("items", "clicks"))
    assert dict(zip(items, clicks, strict=True)) == Counter(row[1] for row in rows)
    of_users = values(batch, "users", np.int64).tolist()
    assert of_users == sorted(of_users)


def test_encoded_batches_are_cut_after_so_many_rows(monkeypatch):
    monkeypatch.setattr(encoded_batches, "BATCH_ROWS", 6)
    rows: list[Row] = [((n % 3, n % 3), str(n % 4), None, n % 5 == 0) for n in range(17)]
    found = encoded(rows, batch_rows=4)
    assert [len(values(batch, "entries", np.uint32)) for batch in found] == [8, 8, 1]
    assert Counter(row for batch in found for row, _ in decoded(batch)) == Counter(rows)


def test_no_rows_are_no_encoded_batches():
    assert list(encode_batches(iter([]))) == []


@pytest.mark.spark
def test_spark_hashes_users_and_keeps_the_weights_of_rows_that_need_them(spark):
    rows = [
        ("u1", "a", 1.0, "real"),
        ("u2", "b", 0.25, "synthetic"),
        ("u2", "c", 1.0, "synthetic"),
        ("u1", "b", 1.0, "real"),
        ("u1", "c", 0.5, "real"),
    ]
    columns = "user_id string, item_id string, weight double, source string"
    frame = spark.createDataFrame(rows, columns)
    (batch,) = encode_rows(frame.coalesce(1), with_positions=False).toArrow().to_batches()
    hashes = (
        frame.selectExpr("user_id", "xxhash64(user_id) AS user", "hash(user_id) AS key")
        .distinct()
        .collect()
    )
    names = {(row["user"], row["key"]): row["user_id"] for row in hashes}
    arrays = {name: values(batch, name, kind).tolist() for name, kind in ARRAYS.items()}
    found = [names[user] for user in zip(arrays["users"], arrays["keys"], strict=True)]
    assert found == [names[user] for user in sorted(names)]
    marks = {(WEIGHTED, 0.5), (WEIGHTED | SYNTHETIC, 0.25), (WEIGHTED | SYNTHETIC, 1.0)}
    weighted = [entry & ITEM_BITS for entry in arrays["entries"] if entry & WEIGHTED]
    assert set(zip(weighted, arrays["weights"], strict=True)) == marks
    assert [entry & ITEM_BITS for entry in arrays["entries"]].count(0) == 2
    assert arrays["positions"] == []


@pytest.mark.spark
def test_items_have_indices_by_length_then_text(spark):
    ids = ["10", "9", "b", "aa", "100", "é", "2"]
    frame = spark.createDataFrame(
        [("u", item, 1.0, "real") for item in ids],
        "user_id string, item_id string, weight double, source string",
    )
    indexed = build_item_ids(encode_rows(frame, with_positions=False), 42).collect()
    by_index = [row["item_id"] for row in sorted(indexed, key=lambda row: row["item_idx"])]
    assert by_index == ["2", "9", "b", "é", "10", "aa", "100"]
