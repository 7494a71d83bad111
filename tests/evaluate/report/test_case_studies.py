"""The items of a report are drawn, not picked; one that nobody clicked is among them; neighbours of
a blend have the components of their similarities.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from llm_i2i_spark.base.contracts import TABLES, TRAINING_CURVE
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.evaluate.report.case_studies import (
    CASE_STUDIES,
    compared_systems,
    select_case_studies,
    systems_shown,
)
from llm_i2i_spark.evaluate.stage import STAGE
from llm_i2i_spark.evaluate.systems import System
from llm_i2i_spark.lake.tables import Lake, contract_schema
from tests.stage_runs import put_rows, run_stage

EM, BLEND, LLM_BLEND = (
    System("real", "em_transitions"),
    System("real", "blend"),
    System("llm_i2i", "blend"),
)
ITEMS = [f"i{number:02}" for number in range(20)]
PARTS = [{"component": "text", "share": 0.75}, {"component": "brand", "share": 0.25}]


def in_list(*items: str) -> list[tuple[str, float, int, float]]:
    return [(item, 1.0 / rank, rank, 0.0) for rank, item in enumerate(items, 1)]


def index_rows(systems: list[System], items: list[str]) -> list[tuple]:
    return [(*system, item, in_list("i00", "i01")) for system in systems for item in items]


def rows_of(spark: SparkSession, table: str, rows: list[tuple]) -> DataFrame:
    return spark.createDataFrame(rows, contract_schema(TABLES[table]))


@pytest.fixture
def tables(spark: SparkSession) -> dict[str, DataFrame]:
    """A long tail of 20 items, of which the last 2 have no clicks."""
    items = [(item, f"Title of {item}", None, None, item, {}) for item in ITEMS]
    stats = [(item, 1, 1, n, True) for n, item in enumerate(ITEMS[:18])]
    stats += [(item, 0, 0, n, True) for n, item in enumerate(ITEMS[18:])]
    return {
        "items": rows_of(spark, "items", items),
        "item_stats": rows_of(spark, "item_stats", stats),
        "index": rows_of(spark, "item_index", index_rows([EM], ITEMS[:18])).unionByName(
            rows_of(spark, "item_index", index_rows([BLEND], ITEMS))
        ),
    }


def test_three_lists_are_shown_where_there_is_a_blend_and_a_pair_elsewhere() -> None:
    systems = [BLEND, LLM_BLEND, EM, System("llm_i2i", "em_transitions")]
    assert systems_shown(systems) == (EM, BLEND, LLM_BLEND)
    assert systems_shown([BLEND, EM]) == (EM, BLEND)
    assert systems_shown([BLEND, LLM_BLEND]) == compared_systems([BLEND, LLM_BLEND])
    swing = [("real", "swing"), ("llm_i2i", "swing")]
    assert systems_shown(swing) == compared_systems(swing)
    assert systems_shown([BLEND]) == ()


@pytest.mark.spark
def test_one_of_the_items_is_one_that_nobody_clicked_whatever_the_seed(tables) -> None:
    drawn = set()
    for seed in (1, 2, 3):
        studies = select_case_studies(**tables, systems=(EM, BLEND), seed=seed)
        assert len(studies) == CASE_STUDIES
        assert studies[-1].interactions == 0
        assert studies[-1].lists[0] == []  # transitions know nothing of it
        assert [one.item_id for one in studies[-1].lists[1]] == ["i00", "i01"]
        drawn.add(tuple(study.item_id for study in studies))
    assert len(drawn) == 3


@pytest.mark.spark
def test_an_item_that_nobody_clicked_and_without_a_list_is_not_drawn(tables) -> None:
    studies = select_case_studies(**tables, systems=(BLEND, EM), seed=1)
    assert len(studies) == CASE_STUDIES
    assert all(study.interactions == 1 for study in studies)


@pytest.mark.spark
def test_neighbours_of_a_blend_have_the_components_of_their_own_similarities(
    spark: SparkSession, tables
) -> None:
    similar = [(*BLEND, item, "i01", 0.5, None, 0.0, PARTS) for item in ITEMS]
    similar += [(*BLEND, "i01", item, 0.5, None, 0.0, PARTS[:1]) for item in ITEMS]
    frame = rows_of(spark, "item_similarity", similar).where("item_id <> neighbor_id")
    studies = select_case_studies(
        **tables, systems=(EM, BLEND), seed=1, similarities={BLEND: frame}
    )
    for study in studies:
        plain, blended = study.lists
        assert all(one.components == () for one in plain)
        found = {one.item_id: one.components for one in blended}
        if study.item_id != "i01":
            assert found == {"i00": (), "i01": (("text", 0.75), ("brand", 0.25))}


@pytest.mark.spark
def test_the_stage_reads_what_its_indexes_were_made_from(
    spark: SparkSession, tables, tmp_path: Path
) -> None:
    config = load_config([], [f"lake.root={tmp_path / 'lake'}", "evaluate.bootstrap=20"])
    lake = Lake(spark, config.lake)
    clicks = [
        (f"u{n}", item, None, position, "click", 1.0, fold)
        for n in range(8)
        for position, (item, fold) in enumerate(
            [("i05", "train"), ("i03", "valid"), ("i00", "test")]
        )
    ]
    put_rows(lake, config, "interactions", clicks)
    put_rows(lake, config, "items", tables["items"])
    put_rows(lake, config, "item_stats", tables["item_stats"])
    folder = tmp_path / "combiner"
    folder.mkdir()
    (folder / TRAINING_CURVE).write_text(json.dumps({"loss": 4.5, "held_out_loss": 4.6}) + "\n")
    manifest = json.dumps({"mixture_loss": 4.75, "held_out_loss": 4.625})
    put_rows(lake, config, "combiners", [(*BLEND, "d1", str(folder), 8, manifest)])
    mixture = [(*BLEND, least, "text", 0.5) for least in (0, 2)]
    put_rows(lake, config, "mixtures", mixture)
    similar = [(*BLEND, item, "i00", 0.5, None, 0.0, PARTS) for item in ITEMS[1:]]
    version = put_rows(lake, config, "item_similarity", similar)
    scopes = [EM._asdict(), BLEND._asdict()]
    reads = {"item_similarity": version}
    put_rows(lake, config, "item_index", tables["index"], scopes, reads=reads)
    # Another blend since, from which no index has been made.
    later = [(*BLEND, item, "i00", 0.5, None, 0.0, PARTS[1:]) for item in ITEMS[1:]]
    put_rows(lake, config, "item_similarity", later)

    versions = {name: lake.version(name) for name in STAGE.reads}
    run_stage(STAGE, lake, config, versions, read_scopes={"item_index": tuple(scopes)})
    path = lake.history("metrics", 1)[0].record.attributes["report"]
    page = Path(path).read_text(encoding="utf-8").replace("\u202f", " ").replace("\u00a0", " ")
    assert "similar text 75 % · same brand 25 %" in page
    assert "Rare items (0–1 clicks) lean on similar texts (50 %)" in page
    assert "from 4.750, of the mixture alone, to 4.625" in page
    assert 'aria-label="Loss over the epochs of the combiner"' in page
    assert "Every index against real interactions alone · em_transitions" in page
    assert "the last one among those that nobody had clicked" in page
