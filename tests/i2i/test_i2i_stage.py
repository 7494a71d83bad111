"""Stage i2i on Delta tables: variants and backbones in one commit, both engines alike, what it says
when there is nothing to read, and what new clicks let it leave as it was.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from llm_i2i_spark.base.contract import scope_condition
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.i2i.stage import STAGE
from llm_i2i_spark.lake.tables import Lake
from tests.stage_runs import put_rows, run_stage

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory) -> Lake:
    """A lake whose table `fused` has two variants at version 1, and a single user at version 2."""
    config = load_config([], [f"lake.root={tmp_path_factory.mktemp('lake')}"])
    lake, draw = Lake(spark, config.lake), random.Random(1)
    rows = []
    for user in range(20):
        items = draw.sample(range(12), 5)
        rows += [
            ("real", f"u{user}", str(item), 1.0, "real", None, None, place)
            for place, item in enumerate(items[:4])
        ]
        rows += [("llm_i2i", *row[1:]) for row in rows[-4:]]
        rows.append(("llm_i2i", f"u{user}", str(items[4]), 0.5, "synthetic", 0.05, None, None))
    for part in (rows, [("real", "u", item, 1.0, "real", None, None, 0) for item in "123"]):
        put_rows(lake, config, "fused", part)
    return lake


def similar(lake: Lake, version: int, variants: tuple[str, ...], *settings: str, backbones=()):
    config: Config = load_config([], ["lake.root=unused", *settings])
    names = backbones or (config.i2i.backbone,)
    scopes = [{"variant": variant, "backbone": name} for variant in variants for name in names]
    inputs = {f"fused[variant={variant}]": "x" for variant in variants}  # as `put_rows` writes it
    run_stage(STAGE, lake, config, {"fused": version}, scopes, inputs=inputs)
    written = lake.read("item_similarity").where(scope_condition(scopes))
    return sorted(map(tuple, written.collect()))


def last_results(lake: Lake) -> dict[str, dict[str, Any]]:
    """What the last commit says of its results, by variant and backbone."""
    record = lake.history("item_similarity", limit=1)[0].record
    assert record is not None
    return record.attributes["results"]


def fused_versions(lake: Lake) -> tuple[int, int]:
    latest = lake.version("fused")
    assert latest is not None
    return latest - 1, latest


def test_variants_share_a_commit_and_engines_a_result(lake):
    first, _ = fused_versions(lake)
    block = similar(lake, first, ("real", "llm_i2i"), "i2i.top_k=5", "index.size=5")
    plans = {name: result["plan"] for name, result in last_results(lake).items()}
    real, mended = (plans[f"variant={name},backbone=swing"] for name in ("real", "llm_i2i"))
    assert real["users"] == mended["users"] == 20
    assert 0 < real["user_wedges"] < mended["user_wedges"]
    assert block == similar(
        lake, first, ("real", "llm_i2i"), "i2i.top_k=5", "index.size=5", "i2i.engine=reference"
    )
    assert {row[:2] for row in block} == {("real", "swing"), ("llm_i2i", "swing")}
    assert {row[6] for row in block if row[0] == "real"} == {0.0}
    assert any(row[6] > 0 for row in block if row[0] == "llm_i2i")
    per_item = [row[:3] for row in block]
    assert max(per_item.count(key) for key in set(per_item)) == 5


def test_backbones_share_a_commit_and_are_each_as_when_computed_alone(lake):
    first, _ = fused_versions(lake)
    caps = ("i2i.max_users_per_item=5", "i2i.bm25.max_users_per_item=2")
    together = similar(lake, first, ("real",), *caps, backbones=("swing", "bm25"))
    assert set(last_results(lake)) == {
        f"variant=real,backbone={name}" for name in ("swing", "bm25")
    }
    support = {
        name: max(row[5] for row in together if row[1] == name) for name in ("swing", "bm25")
    }
    assert support["bm25"] == 2 < support["swing"] <= 5
    alone = [
        similar(lake, first, ("real",), *caps, backbones=(name,)) for name in ("bm25", "swing")
    ]
    assert together == alone[0] + alone[1]


def test_a_backbone_reads_the_further_tables_that_it_names(lake):
    first, _ = fused_versions(lake)
    config = load_config([], ["lake.root=unused"])
    features = [("0", [1.0, 0.0]), ("cold", [0.6, 0.8]), ("wordless", [0.0, 0.0])]
    reads = {"fused": first, "item_features": put_rows(lake, config, "item_features", features)}
    scope = {"variant": "real", "backbone": "text"}
    run_stage(STAGE, lake, config, reads, [scope], inputs={"fused[variant=real]": "x"})
    rows = lake.read("item_similarity").where(scope_condition((scope,))).collect()
    found = {(row["item_id"], row["neighbor_id"]): row["similarity"] for row in rows}
    wanted = pytest.approx(0.6**4, rel=1e-3)
    assert found == {("0", "cold"): wanted, ("cold", "0"): wanted}


def test_one_user_gives_an_empty_table(lake):
    _, second = fused_versions(lake)
    assert similar(lake, second, ("real",)) == []


def test_a_variant_without_rows_is_a_sentence(lake):
    _, second = fused_versions(lake)
    with pytest.raises(UserError, match="no rows of variant absent; run stage fuse"):
        similar(lake, second, ("real", "absent"))


def write_fused(lake: Lake, rows) -> int:
    config = load_config([], ["lake.root=unused"])
    return put_rows(lake, config, "fused", rows)


@pytest.mark.parametrize("backbone", ["swing", "transitions"])
def test_after_new_clicks_a_result_built_upon_the_last_one_is_that_of_a_full_run(lake, backbone):
    draw = random.Random(5)
    rest = (None, None)
    # Two shops in one log: what happens in the second cannot touch the rows of the first.
    rows = []
    for user in range(60):
        items = draw.sample(range(user % 2 * 20, user % 2 * 20 + 20), 5)
        rows += [
            ("real", f"u{user:02}", f"i{item:02}", draw.choice([1.0, 0.2]), "real", *rest, place)
            for place, item in enumerate(items)
        ]
    settings = (f"i2i.backbone={backbone}", "i2i.max_users_per_item=12")
    similar(lake, write_fused(lake, rows), ("real",), *settings)
    news = [
        ("real", "u01", "i00new", 1.0, "real", None, None, 9),
        ("real", "u61", "i21", 1.0, "real", None, None, 0),
    ]
    gone = next(row for row in rows if row[1] == "u03")
    lighter = next(row for row in rows if row[1] in ("u05", "u07", "u09") and row[3] == 1.0)
    version = write_fused(
        lake,
        [
            *(row for row in rows if row not in (gone, lighter)),
            (*lighter[:3], 0.6, *lighter[4:]),
            *news,
            ("real", "u61", "i22", 1.0, "real", None, None, 1),
        ],
    )
    after = similar(lake, version, ("real",), *settings)
    scope = f"variant=real,backbone={backbone}"
    assert 0.3 < last_results(lake)[scope]["saved_work"] < 0.95
    assert after == similar(lake, version, ("real",), *settings, "i2i.incremental=false")
    assert "saved_work" not in last_results(lake)[scope]


def test_other_settings_and_backbones_with_norms_start_afresh(lake):
    first, second = fused_versions(lake)
    for before, after in (
        (("i2i.swing.a1=1",), ("i2i.swing.a1=2",)),
        (("i2i.backbone=item_knn",), ("i2i.backbone=item_knn",)),
    ):
        similar(lake, first, ("real",), *before)
        similar(lake, second, ("real",), *after)
        (result,) = last_results(lake).values()
        assert "saved_work" not in result


def test_a_cap_counts_the_users_of_each_variant_for_itself(lake):
    real = [
        ("real", f"u{user:03}", item, 1.0, "real", None, None, 0)
        for user in range(300)
        for item in ("a", "b")
    ]
    mended = [
        ("llm_i2i", f"u{user:03}", item, 0.5, "synthetic", 0.1, None, None)
        for user in range(3000)
        for item in ("a", "b")
    ]
    version = write_fused(lake, real + mended)
    found = similar(lake, version, ("real", "llm_i2i"), "i2i.swing.max_users_per_item=200")
    assert {(row[0], row[5]) for row in found} == {("real", 200), ("llm_i2i", 200)}


def test_a_last_result_whose_files_were_vacuumed_is_computed_anew(lake, capsys):
    rows = [("real", f"u{n}", item, 1.0, "real", None, None, 0) for n in range(9) for item in "abc"]
    similar(lake, write_fused(lake, rows), ("real",))
    version = write_fused(lake, [*rows, ("real", "u0", "d", 1.0, "real", None, None, 1)])
    lake.spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    try:
        lake.spark.sql(f"VACUUM delta.`{lake.path('fused')}` RETAIN 0 HOURS")
    finally:
        lake.spark.conf.unset("spark.databricks.delta.retentionDurationCheck.enabled")
    found = similar(lake, version, ("real",))
    assert "is no longer readable (VACUUM removes old files)" in capsys.readouterr().err
    assert found == similar(lake, version, ("real",), "i2i.incremental=false")


def test_a_version_of_a_table_that_was_made_anew_is_not_built_upon(lake):
    rows = [("real", f"u{n}", item, 1.0, "real", None, None, 0) for n in range(9) for item in "abc"]
    scopes, config = (
        [{"variant": "real", "backbone": "swing"}],
        load_config([], ["lake.root=unused"]),
    )
    read = {"fused": write_fused(lake, rows)}
    inputs = {"fused[variant=real]": "of the table that had this version before"}
    run_stage(STAGE, lake, config, read, scopes, inputs=inputs)
    similar(lake, write_fused(lake, rows[3:]), ("real",))
    assert "saved_work" not in last_results(lake)["variant=real,backbone=swing"]
