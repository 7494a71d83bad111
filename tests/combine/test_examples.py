"""Rows of the table as flat arrays, against plain Python."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.combine.examples import COLUMNS, choose_held_out, flatten_examples

WIDTH = 2
numbers = st.floats(0.125, 4, width=32)


@st.composite
def rows_of_examples(draw: st.DrawFn) -> dict:
    recent = draw(st.lists(numbers, min_size=1, max_size=3))
    candidates = draw(st.lists(numbers, min_size=1, max_size=4))
    pair = st.tuples(
        st.integers(0, len(recent) - 1), st.integers(0, len(candidates) - 1), numbers, numbers
    )
    pairs = draw(st.lists(pair, max_size=6))
    return {
        "user_id": draw(st.text("abc", min_size=1, max_size=4)),
        "recent_weights": recent,
        "candidate_weights": candidates,
        "pair_recent": [one[0] for one in pairs],
        "pair_candidate": [one[1] for one in pairs],
        "mixture": [one[2] for one in pairs],
        "features": [value for one in pairs for value in (one[3], -one[3])],
        "loss_weight": draw(st.one_of(st.none(), numbers)),
    }


def to_arrow(rows: list[dict]) -> pa.Table:
    integers, floats = pa.list_(pa.int32()), pa.list_(pa.float32())
    types = {"user_id": pa.string(), "pair_recent": integers, "pair_candidate": integers}
    types["loss_weight"] = pa.float64()
    fields = [pa.field(name, types.get(name, floats)) for name in COLUMNS]
    table = pa.Table.from_pylist(rows, schema=pa.schema(fields))
    return pa.concat_tables([table.slice(0, 2), table.slice(2)])


@settings(max_examples=150, deadline=None)
@given(st.lists(rows_of_examples(), min_size=1, max_size=5))
def test_every_pair_keeps_its_weights_and_features(rows):
    flat = flatten_examples(to_arrow(rows), WIDTH)
    assert flat.indptr.tolist() == [0, *np.cumsum([len(row["mixture"]) for row in rows])]
    wanted = [
        (
            np.float32(row["recent_weights"][recent]) * np.float32(mixture),
            row["candidate_weights"][candidate],
            candidate == 0,
            row["features"][WIDTH * pair : WIDTH * (pair + 1)],
        )
        for row in rows
        for pair, (recent, candidate, mixture) in enumerate(
            zip(row["pair_recent"], row["pair_candidate"], row["mixture"], strict=True)
        )
    ]
    found = zip(flat.score, flat.stands_for, flat.is_target, flat.features.tolist(), strict=True)
    assert list(found) == wanted
    weights = [1.0 if row["loss_weight"] is None else row["loss_weight"] for row in rows]
    assert flat.weight.tolist() == weights


def test_rows_whose_arrays_do_not_fit_are_refused(tiny):
    for change in (
        {"pair_recent": [0]},
        {"mixture": []},
        {"features": [1.0]},
        {"candidate_weights": [1.0]},
        {"recent_weights": []},
    ):
        rows = tiny.examples(3)
        rows[1].update(change)
        with pytest.raises(InputDataError, match="run stage combine again with --force"):
            flatten_examples(tiny.as_arrow(rows), tiny.features)


def test_a_tenth_of_the_users_is_held_out_whatever_their_order():
    users = [f"u{n}" for n in range(1000)]
    held_out = choose_held_out(users)
    assert held_out.sum() == 100
    assert np.array_equal(choose_held_out(users[::-1]), held_out[::-1])
    assert 30 < held_out[:500].sum() < 70
