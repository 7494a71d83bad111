"""One merge in three places: what `evaluate` ranks, what a lookup shows a visitor, and the table of
all users' recommendations are equal to the bit.
"""

from __future__ import annotations

import json
import random

import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.evaluate.queries import item_key, rank_users, select_lists, select_queries
from llm_i2i_spark.lake.tables import contract_schema
from llm_i2i_spark.serving.lookup import Lookup
from llm_i2i_spark.serving.recommendations import recommend_users, write_recommendations
from tests.serving.indexes import random_lists, table_rows, write_lake

pytestmark = pytest.mark.spark
RECENT, DECAY, K = 9, 0.8, 12  # nine clicks: 0.8^8 is where a JVM and a C library disagree


@pytest.fixture(scope="module")
def lists():
    return random_lists(80, 30, seed=11)


@pytest.fixture(scope="module")
def lookup(lists, tmp_path_factory):
    lake = write_lake(tmp_path_factory.mktemp("lake"), table_rows(lists))
    return Lookup.open(lake, recent_items=RECENT, decay=DECAY)


@pytest.fixture(scope="module")
def index(spark, lists):
    rows = [
        (
            row["variant"],
            row["backbone"],
            row["item_id"],
            [
                (entry["item_id"], entry["score"], entry["rank"], entry["synthetic_share"])
                for entry in row["neighbors"]
            ],
        )
        for row in table_rows(lists)
    ]
    return spark.createDataFrame(rows, contract_schema(TABLES["item_index"])).repartition(3)


@pytest.fixture(scope="module")
def histories(lists):
    """Items by user, oldest first; some are not in the index."""
    draw = random.Random(7)
    items = [*lists, "unknown", "never seen"]
    users = {f"u{number}": draw.sample(items, draw.randint(1, 25)) for number in range(60)}
    return {**users, "stranger": ["unknown"]}


def interactions(spark, histories, repeats=False):
    rows = [
        (user, item, position, "train" if position < len(items) - 1 else "test")
        for user, items in histories.items()
        for position, item in enumerate(items)
    ]
    if repeats:  # an item that a user has twice counts where it is last
        rows += [(user, items[-1], -1, "train") for user, items in histories.items()]
    ddl = "user_id string, item_id string, position int, fold string"
    return spark.createDataFrame(rows, ddl).repartition(4)


def test_every_user_gets_what_a_lookup_gives(spark, index, lookup, histories):
    frame = recommend_users(index, interactions(spark, histories, repeats=True), K, RECENT, DECAY)
    found = {row["user_id"]: row["recommendations"] for row in frame.collect()}
    assert found.keys() == histories.keys()
    for user, items in histories.items():
        wanted = [(row["item_id"], row["score"], row["rank"]) for row in lookup.recommend(items, K)]
        assert [tuple(row) for row in found[user]] == wanted
    assert found["stranger"] == []
    assert sum(map(len, found.values())) > 50 * K


def test_evaluation_ranks_the_very_scores_of_a_lookup(spark, index, lookup, histories):
    queries = select_queries(interactions(spark, histories), "test", ("train",), RECENT)
    system = [("real", "swing")]
    ranked = rank_users(queries, select_lists(index, system), 1, DECAY, K).collect()
    ids = [(item,) for items in histories.values() for item in items] + [
        (other,) for item in histories["u0"] for other in map(str, range(100))
    ]
    hashed = spark.createDataFrame(ids, "item_id string").distinct()
    keys = {
        row["item_id"]: row["key"]
        for row in hashed.withColumn("key", item_key("item_id")).collect()
    }
    hits = 0
    for row in ranked:
        clicks = histories[row["user_id"]][:-1]
        merged = lookup.recommend(clicks, lookup.n_items)
        scores = {keys[each["item_id"]]: each["score"] for each in merged}
        own = scores.get(row["target"])
        if own is None:
            assert (row["better"], row["ties"]) == (-1, 0)
        else:
            hits += 1
            assert row["better"] == sum(score > own for score in scores.values())
            assert row["ties"] == sum(score == own for score in scores.values())
        # Equal scores stand in the order of a hash there and of ids here.
        shown = [scores[key] for key in row["recommended"]]
        assert shown == [each["score"] for each in merged[:K]]
    assert hits > 20


def test_the_order_of_time_is_taken_where_there_is_no_position(spark, index, lookup, histories):
    log = interactions(spark, histories).select(
        "user_id", "item_id", F.timestamp_seconds("position").alias("ts")
    )
    found = {row[0]: row[1] for row in recommend_users(index, log, 3, RECENT, DECAY).collect()}
    for user in ("u1", "u2", "u3"):
        wanted = [row["item_id"] for row in lookup.recommend(histories[user], 3)]
        assert [row["item_id"] for row in found[user]] == wanted
    with pytest.raises(InputDataError, match=r"The interactions need .* lack position; they have"):
        recommend_users(index, log.drop("ts"))
    with pytest.raises(
        InputDataError, match=r"The rows of an index need .* lack neighbors; they have"
    ):
        recommend_users(index.drop("neighbors"), log)


def test_an_index_without_its_name_and_a_log_of_pandas_are_taken_too(spark, index, histories):
    log = interactions(spark, histories)
    bare = recommend_users(index.drop("variant", "backbone"), log.toPandas(), 3)
    assert sorted(bare.collect()) == sorted(recommend_users(index, log, 3).collect())


def test_a_file_of_recommendations_holds_every_user_in_order(spark, index, histories, tmp_path):
    frame = recommend_users(index, interactions(spark, histories), 3)
    wanted = [
        row.asDict(recursive=True)
        for row in sorted(frame.collect(), key=lambda row: row["user_id"])
    ]
    assert write_recommendations(frame, tmp_path / "new" / "users.parquet") == len(histories)
    assert write_recommendations(frame, tmp_path / "new" / "users.jsonl") == len(histories)
    assert pq.read_table(tmp_path / "new" / "users.parquet").to_pylist() == wanted
    lines = (tmp_path / "new" / "users.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == wanted
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    files = ["users.jsonl", "users.parquet"]
    assert names == [*(f"_{name}.manifest.json" for name in files), *files]
