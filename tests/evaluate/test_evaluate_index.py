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


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"drop": "score"}, {}, "lacks score"),
        ({}, {"holdout": "none"}, "nothing to evaluate: holdout=none"),
        ({}, {"holdout": "last_1", "target": "valid", "protocol": "strict"}, "fold valid empty"),
        ({}, {"target": "valid"}, "target=valid needs protocol=strict"),
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
