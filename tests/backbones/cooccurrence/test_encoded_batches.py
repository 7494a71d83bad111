"""Rows to chunks: nothing is lost or added, users lie together, a dictionary holds each item once."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.backbones.cooccurrence.encoded_batches import (
    NUMBERS,
    encode_batches,
    encode_rows,
)
from llm_i2i_spark.backbones.cooccurrence.packed_lists import values
from llm_i2i_spark.config.i2i import I2iConfig
from llm_i2i_spark.i2i import chunks
from llm_i2i_spark.kernels.edge_format import PLACE_SHIFT, SYNTHETIC

users = st.tuples(st.sampled_from([-(2**63), -1, 0, 7, 2**63 - 1]), st.integers(-2, 1))
rows = st.lists(
    st.tuples(
        users, st.sampled_from(["a", "b", "é", "", "a longer id"]), st.none() | st.floats(0, 1)
    ),
    min_size=1,
    max_size=40,
)
Row = tuple[tuple[int, int], str, float | None]


def encoded(rows: list[Row], batch_rows: int) -> list[pa.RecordBatch]:
    batches = []
    for first in range(0, len(rows), batch_rows):
        own, items, weights = zip(*rows[first : first + batch_rows], strict=True)
        columns = {
            "user": pa.array([user for user, _ in own], pa.int64()),
            "key": pa.array([key for _, key in own], pa.int32()),
        }
        columns |= {"item_id": pa.array(items), "weight": pa.array(weights, pa.float64())}
        columns["position"] = pa.array(range(first, first + len(own)), pa.int32())
        batches.append(pa.RecordBatch.from_pydict(columns))
    return list(encode_batches(iter(batches)))


def decoded(chunk: pa.RecordBatch) -> list[tuple[Row, int]]:
    """The rows of a chunk, each with its position."""
    numbers = {name: values(chunk, name, kind).tolist() for name, kind in NUMBERS.items()}
    items, weights = chunk.column("items")[0].as_py(), iter(numbers["weights"])
    of_users = zip(numbers["users"], numbers["keys"], numbers["lengths"], strict=True)
    of_rows = [(user, key) for user, key, length in of_users for _ in range(length)]
    found = []
    for user, place, position in zip(of_rows, numbers["places"], numbers["positions"], strict=True):
        found.append(
            (
                (user, items[place >> PLACE_SHIFT], next(weights) if place & SYNTHETIC else None),
                position,
            )
        )
    assert next(weights, None) is None
    return found


@settings(max_examples=150, deadline=None)
@given(rows, st.integers(1, 50))
def test_a_chunk_has_just_the_rows_it_was_made_of(rows, batch_rows):
    (chunk,) = encoded(rows, batch_rows)
    assert sorted(decoded(chunk), key=lambda row: row[1]) == [
        (row, place) for place, row in enumerate(rows)
    ]
    items, clicks = (chunk.column(name)[0].as_py() for name in ("items", "clicks"))
    assert dict(zip(items, clicks, strict=True)) == Counter(item for _, item, _ in rows)
    of_users = values(chunk, "users", np.int64).tolist()
    assert of_users == sorted(of_users)


def test_chunks_are_cut_after_so_many_rows(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 6)
    rows: list[Row] = [((n % 3, n % 3), str(n % 4), None) for n in range(17)]
    found = encoded(rows, batch_rows=4)
    assert [len(values(chunk, "places", np.uint32)) for chunk in found] == [8, 8, 1]
    assert Counter(row for chunk in found for row, _ in decoded(chunk)) == Counter(rows)


def test_no_rows_are_no_chunks():
    assert list(encode_batches(iter([]))) == []


@pytest.mark.spark
def test_spark_hashes_users_and_keeps_the_weights_of_synthetic_rows_alone(spark):
    rows = [("u1", "a", 1.0, "real"), ("u2", "b", 0.25, "synthetic"), ("u1", "b", 1.0, "real")]
    frame = spark.createDataFrame(
        rows, "user_id string, item_id string, weight double, source string"
    )
    (chunk,) = encode_rows(frame.coalesce(1), I2iConfig()).toArrow().to_batches()
    hashes = (
        frame.selectExpr("user_id", "xxhash64(user_id) AS user", "hash(user_id) AS key")
        .distinct()
        .collect()
    )
    names = {(row["user"], row["key"]): row["user_id"] for row in hashes}
    numbers = {name: values(chunk, name, kind).tolist() for name, kind in NUMBERS.items()}
    assert [names[user] for user in zip(numbers["users"], numbers["keys"], strict=True)] == [
        names[u] for u in sorted(names)
    ]
    assert numbers["weights"] == [0.25]
    assert numbers["positions"] == []
