"""Orders of equal times: a figure that the order of a file makes is found out; what is held out is
never shown to an index; other users and times stay as they are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.evaluate.evaluate_index import evaluate_index
from llm_i2i_spark.evaluate.evaluate_tie_orders import evaluate_tie_orders, shuffle_queries
from llm_i2i_spark.lake.splits import split_interactions
from llm_i2i_spark.metrics import Recall

pytestmark = pytest.mark.spark

SEEDS = (1, 2)
COLUMNS = ["user_id", "item_id", "ts", "position"]
# Ten teachers go a -> b -> z at times of their own; forty others have a and b at one time, which
# the file gives by name.
TEACHERS = [(f"t{n}", item, at, at) for n in range(10) for at, item in enumerate("xabz")]
PUPILS = [
    (f"u{n}", item, min(at, 1), at)
    for n in range(40)
    for at, item in enumerate((f"x{n}", "a", "b"))
]


@pytest.fixture(scope="module")
def clicks() -> pd.DataFrame:
    return pd.DataFrame(TEACHERS + PUPILS, columns=COLUMNS)


def next_items(train: DataFrame) -> pd.DataFrame:
    """An index of what followed an item, most frequent first, in the rows that it is given."""
    rows = sorted(map(tuple, train.select("user_id", "position", "item_id").collect()))
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for (user, _, item), (other, _, following) in pairwise(rows):
        if user == other:
            counts[item][following] += 1
    ranked = [
        (item, rank, neighbor, float(count))
        for item, found in counts.items()
        for rank, (neighbor, count) in enumerate(found.most_common(), start=1)
    ]
    return pd.DataFrame(ranked, columns=["item_id", "rank", "neighbor_id", "score"])


def in_hash_order(spark: SparkSession, seed: int) -> list[tuple[str, list[str]]]:
    """The items of every user, by time and then by the hash of the seed, in plain Python."""
    frame = spark.createDataFrame([row[:3] for row in TEACHERS + PUPILS], COLUMNS[:3])
    hashed = frame.withColumn("hash", F.xxhash64(F.lit(seed), "user_id", "item_id")).collect()
    users: dict[str, list[Any]] = defaultdict(list)
    for row in sorted(hashed, key=lambda row: (row["ts"], row["hash"])):
        users[row["user_id"]].append(row["item_id"])
    return list(users.items())


def hits(histories: list[tuple[str, list[str]]]) -> float:
    """recall@1 of the next-item index of all but the last items, after the last item but one."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for _, items in histories:
        for item, following in pairwise(items[:-1]):
            counts[item][following] += 1
    found = 0.0
    for _, items in histories:
        query, target = items[:-1], items[-1]
        left = {item: count for item, count in counts[query[-1]].items() if item not in query}
        best = [item for item, count in left.items() if count == max(left.values())]
        found += (target in best) / max(len(best), 1)
    return found / len(histories)


def test_an_index_made_for_every_order_shows_what_the_order_was_worth(
    spark: SparkSession, clicks: pd.DataFrame
) -> None:
    seen: list[set[tuple[str, str]]] = []

    def make(train: DataFrame) -> pd.DataFrame:
        seen.append({(row["user_id"], row["item_id"]) for row in train.collect()})
        return next_items(train)

    options = {"metrics": [Recall(1)], "recent_items": 1, "bootstrap": 10}
    found = evaluate_tie_orders(make, clicks, seeds=SEEDS, **options)
    assert found.given["recall@1"] == 0.8  # the pupils', by the order of the file alone
    orders = {seed: in_hash_order(spark, seed) for seed in SEEDS}
    for seed, histories in orders.items():
        assert found.shuffled[seed]["recall@1"] == pytest.approx(hits(histories))
    told = found.to_dict()
    spread = told["shuffled"]["index"]["all"]["recall@1"]
    assert spread["most"] < 0.6
    assert spread["values"] == {str(seed): found.shuffled[seed]["recall@1"] for seed in SEEDS}
    assert spread["least"] < spread["mean"] < spread["most"]
    assert (told["tied_users"], told["users"], told["index_remade"]) == (40, 50, True)
    for shown, histories in zip(seen[1:], orders.values(), strict=True):
        assert shown == {(user, item) for user, items in histories for item in items[:-1]}
    line = next(line for line in found.lines() if "recall@1" in line)
    assert line.split()[-3:] == [f"{spread[name]:.4f}" for name in ("mean", "least", "most")]
    assert "40 of 50 users (80%) have interactions of equal time" in found.table()
    frame = found.to_pandas()
    assert set(frame["order"]) == {"given", "1", "2"}


def test_an_index_that_is_made_keeps_what_is_held_out(
    spark: SparkSession, clicks: pd.DataFrame
) -> None:
    # A later row is held out, so that both of the tied ones are in the query.
    later = pd.DataFrame([(f"u{n}", "z", 9, 9) for n in range(40)], columns=COLUMNS)
    split = split_interactions(pd.concat([clicks, later]))
    rows = {(row["user_id"], row["item_id"]): row for row in split.collect()}
    changed = 0
    for row in shuffle_queries(split, seed=2).collect():
        before = rows[row["user_id"], row["item_id"]]
        assert (row["ts"], row["fold"]) == (before["ts"], before["fold"])
        if row["item_id"] in "ab" and row["user_id"].startswith("u"):
            changed += row["position"] != before["position"]
            assert row["position"] in (1, 2)
        else:
            assert row["position"] == before["position"]
    assert 0 < changed < 80
    index = pd.DataFrame([("b", 1, "z", 1.0)], columns=["item_id", "rank", "neighbor_id", "score"])
    options = {"metrics": [Recall(1)], "recent_items": 1, "bootstrap": 10}
    found = evaluate_tie_orders(index, split, seeds=(2,), **options)
    assert found.given.rows == evaluate_index(index, split, **options).rows
    assert found.given["recall@1"] == 1.0
    # Of the pupils those whose b was moved before a lose their hit.
    assert found.shuffled[2]["recall@1"] == pytest.approx(1 - changed / 2 / 50)
    assert not found.index_remade


@pytest.mark.parametrize(
    ("make", "seeds", "drop", "words"),
    [
        (True, (1, 1), None, "one seed each, such as 1,2,3, and no seed twice"),
        (True, (), None, "one seed each"),
        (True, (1,), "ts", "need the columns user_id, item_id, ts and lack ts"),
        (True, (1,), "split", "have a column fold: an index that is made for every order needs"),
        (False, (1,), "times", "have no times, so none are equal"),
    ],
)
def test_what_cannot_be_shuffled_is_said(
    spark: SparkSession, clicks: pd.DataFrame, make: bool, seeds: Any, drop: str, words: str
) -> None:
    log: Any = clicks.drop(columns=["ts"]) if drop == "ts" else clicks
    if drop == "split":
        log = split_interactions(clicks)
    if drop == "times":
        log = spark.createDataFrame(clicks).withColumn("ts", F.lit(None).cast("timestamp"))
    index = pd.DataFrame([("a", 1, "b", 1.0)], columns=["item_id", "rank", "neighbor_id", "score"])
    with pytest.raises(UserError, match=words):
        evaluate_tie_orders(next_items if make else index, log, seeds=seeds)
