"""Swing by both engines: the same bits under any caps, and the golden result of a public log."""

from __future__ import annotations

import random

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.backbones import Bm25, Swing
from llm_i2i_spark.backbones.base import BackboneRun, EngineOptions
from llm_i2i_spark.base.errors import UserError
from tests.backbones.plain_log import Interaction, frame_of, random_log

pytestmark = pytest.mark.spark
GOLDEN = Swing(a1=5, a2=1, b=0.3)
REFERENCE = EngineOptions(engine="reference")


def similar(frame: DataFrame, swing: Swing = GOLDEN, seed: int = 42, **options):
    """Best first, items by number."""
    run = BackboneRun(seed=seed, options=EngineOptions(**options), title="test")
    rows = [tuple(row) for row in swing.similar_items(frame, run).collect()]
    return sorted(rows, key=lambda row: (row[0], -row[2], len(row[1]), row[1]))


@pytest.mark.parametrize(
    "caps", [{}, {"max_users_per_item": 5, "max_items_per_user": 4, "top_k": 6}]
)
def test_both_engines_give_the_same_bits(spark, caps):
    frame, swing = frame_of(spark, random_log(3)), GOLDEN.model_copy(update=caps)
    found = similar(frame, swing)
    assert found == similar(frame.repartition(5), swing, engine="reference")
    assert found
    if caps:
        assert found != similar(frame, swing, seed=43)


def test_a_cap_keeps_just_so_many_users_however_many_more_there_are(spark):
    log = [Interaction(f"u{n}", item, 1.0, "real", 0) for n in range(400) for item in ("1", "2")]
    capped = similar(frame_of(spark, log), GOLDEN.model_copy(update={"max_users_per_item": 300}))
    assert [row[3] for row in capped] == [300, 300]


def test_blocks_by_community_change_no_bit_and_the_saving_is_logged(spark, capsys):
    draw = random.Random(9)
    # Two shops under one roof: no user of one ever sees the other.
    log = [
        Interaction(f"u{user}", str(2 * item + user % 2), 1.0, "real", 0)
        for user in range(80)
        for item in draw.sample(range(15), 6)
    ]
    frame = frame_of(spark, log)
    by_community = similar(frame, blocks=2, partitioning="community")
    assert by_community == similar(frame, blocks=2)
    saved = int(capsys.readouterr().err.split("saves ")[1].split("%")[0])
    assert 40 <= saved <= 50


def test_new_names_leave_similarities_alone(spark):
    log = random_log(6)
    names = {item: f"x{n}" for n, item in enumerate(sorted({row.item_id for row in log}))}
    renamed = [row._replace(user_id=row.user_id[::-1], item_id=names[row.item_id]) for row in log]
    wanted = {(names[i], names[j]): values for i, j, *values in similar(frame_of(spark, log))}
    found = {(i, j): values for i, j, *values in similar(frame_of(spark, renamed))}
    assert found.keys() == wanted.keys()
    for pair, values in found.items():
        assert values == pytest.approx(wanted[pair], rel=1e-12, abs=1e-13)


def test_a_backbone_without_a_reference_engine_is_a_sentence(spark):
    frame = frame_of(spark, random_log(1, users=3))
    with pytest.raises(UserError, match="engine=reference cannot compute bm25; use engine=block"):
        Bm25().similar_items(frame, BackboneRun(options=REFERENCE))


@pytest.mark.data
def test_beauty_golden(spark, data_folder, golden_folder):
    import pandas as pd

    log = spark.read.parquet(str(data_folder / "beauty_interactions.parquet"))
    swing = GOLDEN.model_copy(update={"top_k": 10, "max_items_per_user": None})
    rows = swing.similar_items(log.select("user_id", "item_id")).select(
        *(F.col(name).cast("int") for name in ("item_id", "neighbor_id")), "similarity"
    )
    found = sorted(map(tuple, rows.collect()), key=lambda row: (row[0], -row[2], row[1]))
    golden = pd.read_csv(golden_folder / "beauty_swing_top10.tsv", sep="\t")
    golden.columns = ["item", "rank", "neighbor", "score"]
    assert [row[0] for row in found] == golden["item"].tolist()
    assert [row[2] for row in found] == pytest.approx(golden["score"].tolist(), rel=1e-12)
    scores = {(item, neighbor): score for item, neighbor, score in found}
    last = golden.groupby("item")["score"].min().to_dict()
    for item, neighbor, score in zip(
        golden["item"], golden["neighbor"], golden["score"], strict=True
    ):
        # Equal scores are one group, and the group at the list's end may be cut anywhere.
        if score > last[item] * (1 + 1e-12):
            assert scores[item, neighbor] == pytest.approx(score, rel=1e-12)
