"""The kit on DataFrames: raw logs, lists of any form, several indexes at once, no lake."""

from __future__ import annotations

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.evaluate.evaluate_index import evaluate_index
from llm_i2i_spark.index.to_index import to_index
from llm_i2i_spark.lake.splits import split_interactions
from llm_i2i_spark.metrics import MRR, Coverage, FillRate, Novelty, Recall

pytestmark = pytest.mark.spark

# Users go 1 -> 2 -> 3; user d goes 1 -> 2 -> 4. Item 2 leads to 3 (first) and 4 (second).
CLICKS = [
    (user, item, moment)
    for user, last in (("a", 3), ("b", 3), ("c", 3), ("d", 4))
    for moment, item in enumerate((1, 2, last))
]
NEXT = [(1, 1, 2, 1.0), (2, 1, 3, 0.5), (2, 2, 4, 0.25)]
OTHER = [(2, 1, 4, 1.0)]
LONG = ["item_id", "rank", "neighbor_id", "score"]


@pytest.fixture(scope="module")
def clicks() -> pd.DataFrame:
    return pd.DataFrame(CLICKS, columns=["user_id", "item_id", "ts"])


def long_rows(rows: list[tuple]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=LONG)


def test_a_pandas_index_and_a_raw_log_are_all_it_needs(
    spark: SparkSession, clicks: pd.DataFrame
) -> None:
    found = evaluate_index(
        long_rows(NEXT), clicks, metrics=[Recall(1), MRR(), Coverage(1), FillRate(), Novelty(1)]
    )
    assert found.users == 4
    assert found["recall@1"] == 0.75
    assert found["mrr"] == pytest.approx((3 + 1 / 2) / 4)
    # Of the items 1, 2, 3, 4 only 3 is ever first, and two have a list.
    assert (found["coverage@1"], found["fill_rate"]) == (0.25, 0.5)
    assert {row["name"] for row in found.rows} == {
        "recall",
        "mrr",
        "coverage",
        "fill_rate",
        "novelty",
    }
    assert "recall@1" in str(found)


def test_every_form_of_index_and_log_gives_the_same_figures(
    spark: SparkSession, clicks: pd.DataFrame
) -> None:
    rows = spark.createDataFrame(NEXT, "item_id int, rank int, neighbor_id int, score double")
    similar = rows.selectExpr("item_id", "neighbor_id", "score AS similarity")
    lists = to_index(similar, normalize="none")
    wanted = evaluate_index(rows, clicks).rows
    split = split_interactions(clicks)
    assert evaluate_index(lists, split).rows == wanted
    by_position = clicks.rename(columns={"ts": "position"})
    assert evaluate_index(lists.toPandas(), by_position).rows == wanted


def test_several_indexes_are_compared_on_the_same_users(
    spark: SparkSession, clicks: pd.DataFrame
) -> None:
    indexes = {"next": long_rows(NEXT), "other": long_rows(OTHER)}
    found = evaluate_index(indexes, clicks, metrics=[Recall(1)])
    assert (found["next", "recall@1"], found["other", "recall@1"]) == (0.75, 0.25)
    gains = {row["variant"]: row["value"] for row in found.rows if row["name"] == "recall_gain"}
    assert gains == {"other": -0.5}
    assert "gain over next" in str(found)
    turned = evaluate_index(indexes, clicks, metrics=[Recall(1)], baseline="other")
    assert "gain over other" in str(turned)
    assert turned.compare("other").figures["all"]["recall@1"]["next"]["gain"] == 0.5


def test_items_of_a_catalogue_count_and_lists_are_cut(
    spark: SparkSession, clicks: pd.DataFrame
) -> None:
    catalogue = pd.DataFrame({"item_id": [3, 5, 6]})
    found = evaluate_index(
        long_rows(NEXT), clicks, metrics=[MRR(), FillRate()], items=catalogue, size=1
    )
    assert found["fill_rate"] == pytest.approx(2 / 6)
    assert found["mrr"] == 0.75


def test_a_split_in_time_says_who_and_what_it_knows_nothing_of(
    spark: SparkSession, clicks: pd.DataFrame
) -> None:
    first = pd.Timestamp("2024-03-01", tz="UTC")
    days = clicks.assign(ts=first + pd.to_timedelta(clicks["ts"], unit="D"))
    # One user comes after the cut, another one goes on to an item that nobody had before.
    late = [("e", 2, 2), ("e", 3, 3), ("f", 1, 0), ("f", 9, 2)]
    more = pd.DataFrame(
        [(user, item, first + pd.Timedelta(days=day)) for user, item, day in late],
        columns=["user_id", "item_id", "ts"],
    )
    log = pd.concat([days, more])
    options = {"metrics": [Recall(1)], "holdout": "time", "bootstrap": 10}
    found = evaluate_index(long_rows(NEXT), log, test_from="2024-03-03", **options)
    # Users a to d are asked for their third item after 1 and 2, e for 2 and f for 9.
    assert found.users == 6
    assert found["recall@1"] == 3 / 6
    assert found.notes == (
        "1 of 6 users have no interaction before the held-out one: they are shown nothing and"
        " count as misses.",
        "5 of 6 held-out interactions are with items that the models never saw.",
    )
    assert all(note in str(found) for note in found.notes)
    told = found.to_dict()
    assert told["notes"] == list(found.notes)
    assert {part: told["users_by_slice"][part] for part in ("history_0", "history_1_4")} == {
        "history_0": 1,
        "history_1_4": 5,
    }
    last = evaluate_index(long_rows(NEXT), log, **{**options, "holdout": "last_1"})
    assert last.notes == ()


def test_seen_items_are_left_in_where_it_is_asked_for(
    spark: SparkSession, clicks: pd.DataFrame
) -> None:
    found = evaluate_index(long_rows(NEXT), clicks, metrics=[Recall(1), Recall(3)])
    left = evaluate_index(
        long_rows(NEXT), clicks, metrics=[Recall(1), Recall(3)], remove_seen=False
    )
    # Items 2 and 1, which the users come from, take the first two places.
    assert (found["recall@1"], left["recall@1"], left["recall@3"]) == (0.75, 0.0, 0.75)
    assert "Seen items are not removed" in str(left)
    assert "Seen items" in str(left.compare_all())


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"drop": "score"}, {}, "lacks score"),
        ({}, {"holdout": "none"}, "nothing to evaluate: holdout=none"),
        ({}, {"holdout": "last_1", "target": "valid", "protocol": "strict"}, "fold valid empty"),
        ({}, {"target": "valid"}, "target=valid needs protocol=strict"),
        ({}, {"test_from": "2024-03-03"}, "set holdout=time as well"),
        ({}, {"baseline": "other"}, "baseline other is not among the indexes; choose one of index"),
        ({"score": "double('nan')"}, {}, "3 rows of the index have an empty field"),
        ({"variant": "item_id % 2"}, {}, "holds lists of variant . and of others"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(
    spark: SparkSession, clicks: pd.DataFrame, change: dict, options: dict, words: str
) -> None:
    index: DataFrame = spark.createDataFrame(long_rows(NEXT))
    index = index.drop(change["drop"]) if "drop" in change else index
    for name in ("score", "variant"):
        index = index.withColumn(name, F.expr(change[name])) if name in change else index
    with pytest.raises(UserError, match=words):
        evaluate_index(index, clicks, **options)
