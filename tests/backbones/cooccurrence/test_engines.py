"""Both engines through Spark: equal to the definition and to each other, bit for bit, for any
partitioning.
"""

from __future__ import annotations

import random

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.cooccurrence.encoded_batches import encode_rows
from llm_i2i_spark.backbones.cooccurrence.engine import similar_items
from llm_i2i_spark.backbones.cooccurrence.item_ids import Items, collect_items, number_items
from llm_i2i_spark.backbones.cooccurrence.packed_lists import unpack
from llm_i2i_spark.backbones.cooccurrence.plan import make_plan, measure_degrees
from llm_i2i_spark.backbones.cooccurrence.user_lists import user_lists
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.config.i2i import I2iConfig

pytestmark = pytest.mark.spark
FUSED = "variant string, user_id string, item_id string, weight double, source string"
SWING = ("i2i.swing.a1=5", "i2i.swing.a2=1", "i2i.swing.b=0.3", "index.size=1")
Row = tuple[str, str, str, float, str]


def random_rows(seed: int, users=40, items=25, variant="v") -> list[Row]:
    """Weighted real and synthetic edges; ids of unequal length, so that their order is not that of
    plain text.
    """
    draw = random.Random(seed)
    rows = []
    for user in range(users):
        for item in draw.sample(range(5, 5 + items), draw.randint(1, 8)):
            real = draw.random() < 0.7
            rows.append(
                (
                    variant,
                    f"u{user}",
                    str(item),
                    1.0 if real else draw.uniform(0.05, 1),
                    "real" if real else "synthetic",
                )
            )
    return rows


def listed(fused: DataFrame, config: Config, parts=2) -> tuple[Items, DataFrame]:
    """The items of all variants, and the lists of variant v."""
    names = [row["variant"] for row in fused.select("variant").distinct().collect()]
    chunks = {
        name: encode_rows(fused.where(F.col("variant") == name), config.i2i) for name in names
    }
    items = collect_items(number_items(chunks, config.seed), config.seed)
    return items, user_lists(chunks["v"], items, config.i2i, parts)


def similar(fused: DataFrame, *settings: str, parts=2):
    """Rows of the contract without variant and backbone, best first, as an engine gives them."""
    config = load_config([], ["lake.root=unused", *SWING, "i2i.blocks=3", *settings])
    items, lists = listed(fused, config, parts)
    blocks = make_plan(measure_degrees(lists, items.clicks), config.i2i, cores=2).blocks
    rows = [
        tuple(row)[2:] for row in similar_items(lists, "v", items, blocks, config.i2i).collect()
    ]
    return sorted(rows, key=lambda row: (int(row[0]), -row[2], int(row[1])))


def definition(rows: list[Row], a1=5.0, a2=1.0, b=0.3):
    """(item, neighbour) -> (similarity, support, synthetic share), straight from the formula."""
    lists: dict[str, dict[str, tuple[float, bool]]] = {}
    for _, user, item, weight, source in rows:
        lists.setdefault(user, {})[item] = (weight, source == "real")
    w = {user: (a1 + sum(e for e, _ in own.values())) ** -b for user, own in lists.items()}
    found: dict = {}
    for u, v in ((u, v) for u in lists for v in lists if u < v):
        both = set(lists[u]) & set(lists[v])
        for i, j in ((i, j) for i in both for j in both if i != j):
            edges = [lists[user][item] for user in (u, v) for item in (i, j)]
            term = w[u] * w[v] / (a2 + len(both))
            for weight, _ in edges:
                term *= weight
            total, real, users = found.get((i, j), (0.0, 0.0, set()))
            found[i, j] = (
                total + term,
                real + term * all(is_real for _, is_real in edges),
                users | {u, v},
            )
    return {
        pair: (total, len(users), 1 - real / total) for pair, (total, real, users) in found.items()
    }


def frame(spark: SparkSession, rows: list[Row]) -> DataFrame:
    return spark.createDataFrame(rows, FUSED)


def test_both_engines_give_the_definition_and_the_same_bits(spark):
    rows = random_rows(1)
    fused = frame(spark, rows)
    block, projection = similar(fused), similar(fused, "i2i.engine=reference")
    assert block == projection
    wanted = definition(rows)
    assert {row[:2] for row in block} == wanted.keys()
    for item, neighbor, *found in block:
        assert found == pytest.approx(wanted[item, neighbor], rel=1e-12, abs=1e-13)
    assert any(0 < row[4] < 1 for row in block)


def test_caps_agree_between_engines_and_are_kept(spark):
    fused = frame(spark, random_rows(3))
    caps = ("i2i.swing.max_users_per_item=5", "i2i.swing.max_items_per_user=4", "i2i.top_k=6")
    block = similar(fused, *caps)
    assert block == similar(fused, *caps, "i2i.engine=reference")
    assert block != similar(fused, *caps, "seed=43")
    assert 2 <= max(row[3] for row in block) <= 5
    config = load_config([], ["lake.root=unused", *caps])
    lists = unpack(listed(fused, config)[1].toArrow().to_batches())
    assert lists is not None
    assert max(lists.offsets[1:] - lists.offsets[:-1]) == 4


def test_a_cap_keeps_the_lowest_hashes_whatever_the_group(spark):
    rows = [("v", f"u{user}", item, 1.0, "real") for user in range(400) for item in ("1", "2")]
    fused = frame(spark, rows)
    capped = similar(fused, "i2i.swing.max_users_per_item=300")
    assert [row[3] for row in capped] == [300, 300]


def test_partitions_blocks_and_row_order_change_no_bit(spark):
    rows = random_rows(4)
    caps = ("i2i.swing.max_users_per_item=9", "i2i.swing.max_items_per_user=6")
    wanted = similar(frame(spark, rows).coalesce(1), *caps, "i2i.blocks=1")
    for partitions, engine in ((2, "block"), (7, "projection"), (64, "block")):
        random.Random(partitions).shuffle(rows)
        settings = (*caps, f"i2i.blocks={partitions}", f"i2i.engine={engine}")
        assert (
            similar(frame(spark, rows).repartition(partitions), *settings, parts=partitions)
            == wanted
        )


def test_grouping_by_community_changes_no_bit_and_says_what_it_saves(spark, capsys):
    draw = random.Random(9)
    # Two shops under one roof: no user of one ever sees the other.
    rows = [
        ("v", f"u{user}", str(2 * item + user % 2), 1.0, "real")
        for user in range(80)
        for item in draw.sample(range(15), 6)
    ]
    wanted = similar(frame(spark, rows), "i2i.blocks=2")
    assert similar(frame(spark, rows), "i2i.blocks=2", "i2i.partitioning=community") == wanted
    saved = int(capsys.readouterr().err.split("saves ")[1].split("%")[0])
    assert 40 <= saved <= 50


def test_repeated_rows_count_once_real_before_synthetic(spark):
    rows = random_rows(5)
    wanted = similar(frame(spark, rows))
    doubled = [
        *rows,
        *rows,
        *(
            ("v", user, item, 1.0, "synthetic")
            for _, user, item, _, source in rows
            if source == "real"
        ),
    ]
    assert similar(frame(spark, doubled)) == wanted


def test_other_variants_and_new_names_leave_similarities_alone(spark):
    rows = random_rows(6)
    wanted = {row[:2]: row[2:] for row in similar(frame(spark, rows))}
    beside = frame(spark, [*rows, *random_rows(7, variant="other")])
    assert {row[:2]: row[2:] for row in similar(beside)} == wanted
    renamed = frame(
        spark, [(v, f"x{9999 - int(u[1:])}", str(1000 - int(i)), e, s) for v, u, i, e, s in rows]
    )
    found = {(str(1000 - int(i)), str(1000 - int(j))): values for i, j, *values in similar(renamed)}
    assert found.keys() == wanted.keys()
    for pair, values in found.items():
        assert values == pytest.approx(wanted[pair], rel=1e-12, abs=1e-13)


def test_items_are_numbered_by_length_then_text(spark):
    ids = ["10", "9", "b", "aa", "100", "é", "2"]
    chunks = encode_rows(frame(spark, [("v", "u", item, 1.0, "real") for item in ids]), I2iConfig())
    numbered = number_items({"v": chunks}, 42).collect()
    by_number = [row["item_id"] for row in sorted(numbered, key=lambda row: row["item"])]
    assert by_number == ["2", "9", "b", "é", "10", "aa", "100"]


@pytest.mark.parametrize("engine", ["block", "projection"])
def test_nothing_shared_gives_no_rows(spark, engine):
    apart = frame(
        spark,
        [
            ("v", user, item, 1.0, "real")
            for user, items in (("a", "12"), ("b", "23"), ("c", "34"))
            for item in items
        ],
    )
    assert similar(apart, f"i2i.engine={engine}") == []


@pytest.mark.data
def test_beauty_golden(spark, data_folder, golden_folder):
    import pandas as pd

    log = spark.read.parquet(str(data_folder / "beauty_interactions.parquet"))
    ids = [F.col(name).cast("string") for name in ("user_id", "item_id")]
    fused = log.select(
        F.lit("v").alias("variant"), *ids, F.lit(1.0).alias("weight"), F.lit("real").alias("source")
    )
    rows = similar(fused, "i2i.top_k=10", "index.size=10", "i2i.swing.max_items_per_user=null")
    golden = pd.read_csv(golden_folder / "beauty_swing_top10.tsv", sep="\t")
    golden.columns = ["item", "rank", "neighbor", "score"]
    assert [int(row[0]) for row in rows] == golden["item"].tolist()
    assert [row[2] for row in rows] == pytest.approx(golden["score"].tolist(), rel=1e-12)
    found = {(int(item), int(neighbor)): score for item, neighbor, score, *_ in rows}
    last = golden.groupby("item")["score"].min().to_dict()
    for item, neighbor, score in zip(
        golden["item"], golden["neighbor"], golden["score"], strict=True
    ):
        # Equal scores are one group, and the group at the list's end may be cut anywhere.
        if score > last[item] * (1 + 1e-12):
            assert found[item, neighbor] == pytest.approx(score, rel=1e-12)
