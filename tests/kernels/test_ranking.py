"""The compiled ranking against dictionaries of Python, through Arrow batches of any size."""

from __future__ import annotations

import random

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.evaluate.rank_batches import RANKED_SCHEMA, rank_part

KEYS = st.one_of(st.integers(0, 12), st.sampled_from([2**63 - 1, -(2**63), 1 << 32, 1 << 33]))
LISTS = st.lists(
    st.tuples(KEYS, st.integers(1, 3).map(lambda quarter: quarter / 4)),
    max_size=8,
    unique_by=lambda pair: pair[0],
)
USERS = st.lists(
    st.fixed_dictionaries(
        {"target": KEYS, "owned": st.lists(KEYS, max_size=4), "lists": st.lists(LISTS, max_size=4)}
    ),
    max_size=6,
)
COLUMNS = {
    "system": pa.int32(),
    "item": pa.int64(),
    "user_id": pa.string(),
    "target": pa.int64(),
    "history": pa.int32(),
    "owned": pa.list_(pa.int64()),
    "clicks": pa.list_(pa.int64()),
    "neighbors": pa.list_(pa.int64()),
    "scores": pa.list_(pa.float64()),
}


def rows_of(users: list[dict], system: int = 0) -> list[dict]:
    """A row a user and one a list; equal lists are one item's, which several users clicked."""
    items: dict[tuple, int] = {}
    rows = []
    for place, user in enumerate(users):
        clicks = [items.setdefault(tuple(entries), 50 - len(items)) for entries in user["lists"]]
        # An item that no list is there for is a click like any other.
        row = {"user_id": f"u{place}", "history": place, "clicks": [*clicks, 10**6]}
        rows.append({**row, "target": user["target"], "owned": user["owned"]})
    for entries, item in items.items():
        keys, scores = [key for key, _ in entries], [score for _, score in entries]
        rows.append({"system": system, "item": item, "neighbors": keys, "scores": scores})
    return rows


def ranked(rows: list[dict], top: int, cut: int, n_systems: int = 1) -> list[dict]:
    random.Random(cut).shuffle(rows)
    full = [{name: row.get(name) for name in COLUMNS} for row in rows]
    table = pa.Table.from_pylist(full, schema=pa.schema(list(COLUMNS.items())))
    batches = [
        batch
        for start in range(0, max(len(rows), 1), cut)
        for batch in table.slice(start, cut).to_batches()
    ]
    found = list(rank_part(batches, n_systems, top, 0.5))
    assert all(batch.schema == RANKED_SCHEMA for batch in found)
    rows = [row for batch in found for row in batch.to_pylist()]
    return sorted(rows, key=lambda row: (row["system"], row["history"]))


def brute_force(user: dict, top: int) -> tuple[int, int, list[int]]:
    scores: dict[int, float] = {}
    for step, entries in enumerate(user["lists"]):
        for key, score in entries:
            scores[key] = scores.get(key, 0.0) + 0.5**step * score
    live = {key: score for key, score in scores.items() if key not in user["owned"]}
    best = sorted(live, key=lambda key: (-live[key], key))[:top]
    if user["target"] not in live:
        return -1, 0, best
    aim = live[user["target"]]
    return (
        sum(score > aim for score in live.values()),
        sum(score == aim for score in live.values()),
        best,
    )


@settings(deadline=None, max_examples=150)
@given(users=USERS, top=st.integers(1, 6), cut=st.integers(1, 9))
def test_ranks_equal_brute_force_for_any_cut_into_batches(
    users: list[dict], top: int, cut: int
) -> None:
    found = ranked(rows_of(users), top, cut)
    assert [row["user_id"] for row in found] == [f"u{place}" for place in range(len(users))]
    assert [row["history"] for row in found] == list(range(len(users)))
    for row, user in zip(found, users, strict=True):
        assert row["target"] == user["target"]
        assert (row["better"], row["ties"], row["recommended"]) == brute_force(user, top)


def test_wide_lists_and_many_equal_scores() -> None:
    draw = random.Random(3)
    users = []
    for _ in range(30):
        lists = [
            [(key, draw.choice([0.25, 0.5])) for key in draw.sample(range(4000), 700)]
            for _ in range(10)
        ]
        users.append(
            {"target": lists[0][0][0], "owned": draw.sample(range(4000), 200), "lists": lists}
        )
    for row, user in zip(ranked(rows_of(users), 200, 64), users, strict=True):
        assert (row["better"], row["ties"], row["recommended"]) == brute_force(user, 200)


def test_a_user_of_two_systems_is_two_rows() -> None:
    user = {"target": 1, "owned": [], "lists": [[(1, 1.0)]]}
    rows = rows_of([user])
    rows += [{**rows[1], "system": 1, "neighbors": [2]}]
    found = ranked(rows, 5, 1, n_systems=2)
    assert [(row["system"], row["better"]) for row in found] == [(0, 0), (1, -1)]


def test_no_rows_give_no_rows() -> None:
    assert ranked([], 5, 3) == []
