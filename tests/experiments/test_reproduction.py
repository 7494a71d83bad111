"""A table of the paper on a tiny lake: real figures beside the published ones, found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_i2i_spark import Project
from llm_i2i_spark.cli.main import main
from llm_i2i_spark.experiments.reproduction.reproduce import Wanted, plan_reproduction
from llm_i2i_spark.experiments.reproduction.result import Reproduction
from llm_i2i_spark.experiments.reproduction.rows import MODES
from llm_i2i_spark.experiments.sweeps.result import Sweep


@pytest.fixture(scope="module")
def lake(shop: Project, sweep: Sweep) -> Project:
    """The lake of the sweeps, which has the models that the table needs."""
    return shop.with_settings({"lake.root": f"{shop.root}/experiments"})


@pytest.fixture(scope="module")
def reproduction(lake: Project) -> Reproduction:
    return lake.reproduce([4], data="beauty")


@pytest.mark.spark
@pytest.mark.lm
def test_the_figures_are_those_of_the_runs_that_made_them(
    lake: Project, reproduction: Reproduction
) -> None:
    (table,) = reproduction.tables
    there = lake.with_settings({"evaluate.target": "test", **MODES["soft"]})
    run = there.run(("real", "llm_i2i"), ("swing",))
    assert all(stage.skipped for stage in run.stages)
    assert there.lake is lake.lake
    found = {
        (row["variant"], row["slice"], f"{row['name']}@{row['k']}"): row["value"]
        for row in run.metrics
    }
    soft = [row for row in table.rows if row.mode != "hard"]
    assert {row.part for row in soft} == {"all", "long_tail", "head"}
    for row in soft:
        for metric, figure in table.rows[row].items():
            assert figure.value == found[row.variant, row.part, metric]
            before = found["real", row.part, metric]
            gains = row.variant != "real" and before > 0
            assert figure.gain == (figure.value / before - 1 if gains else None)
    assert table.users == 150


@pytest.mark.spark
@pytest.mark.lm
def test_rows_whose_rule_kept_nothing_are_said_to_be_the_log_as_it_is(
    lake: Project, reproduction: Reproduction
) -> None:
    (table,) = reproduction.tables
    hard = lake.with_settings({"evaluate.target": "test", **MODES["hard"]})
    there = hard.run(("real", "llm_i2i"), ("swing",))
    share = {
        row["variant"]: row["value"] for row in there.metrics if row["name"] == "synthetic_share"
    }
    titles = {row.title for row in table.rows if row.mode == "hard"}
    assert {row.title for row in table.bare} == (set() if share["llm_i2i"] else titles)
    assert ("kept no synthetic row" in table.paragraph()) == (not share["llm_i2i"])


@pytest.mark.spark
@pytest.mark.lm
def test_both_modes_are_rows_and_a_second_call_runs_nothing(
    lake: Project, reproduction: Reproduction
) -> None:
    (plan,) = plan_reproduction({"beauty": lake}, Wanted((4,))).values()
    assert [arm.arm.name for arm in plan.arms] == [
        "llm_i2i on swing, hard",
        "llm_i2i on swing, soft",
    ]
    assert plan.lines()[-1] == "all 2 are there; nothing runs"
    again = lake.reproduce([4], data="beauty")
    assert again.evaluations == (2, 2)
    assert again.tables[0].rows == reproduction.tables[0].rows
    assert again.costs == reproduction.costs


@pytest.mark.spark
@pytest.mark.lm
def test_the_cost_counts_what_evaluations_share_once(
    lake: Project, reproduction: Reproduction
) -> None:
    cost = reproduction.costs["beauty"]
    there = lake.with_settings({"evaluate.target": "test", **MODES["soft"]})
    plan = there.explain(("real", "llm_i2i"), ("swing",))
    shared = [one for one in plan.stages if one.stage.name in ("ingest", "sft", "generate")]
    seconds = sum(
        max(commit.seconds or 0 for commit in result.present.values())
        for one in shared
        for result in one.results
    )
    assert seconds > 0
    assert cost.alone - cost.together >= seconds * (1 - 1e-9)
    assert 0 < cost.saved < 1
    assert f"sharing saves {cost.saved:.0%}" in str(reproduction)


@pytest.mark.spark
@pytest.mark.lm
def test_the_page_has_our_figures_the_published_ones_and_what_holds(
    reproduction: Reproduction,
) -> None:
    page = Path(reproduction.report).read_text()
    (table,) = reproduction.tables
    for figures in table.rows.values():
        for figure in figures.values():
            assert f"{figure.value:.4f}" in page
            assert f"{figure.published:.4f}" in page
    assert table.paragraph().split(".")[0] in page
    assert page.count("<svg") == 1
    assert "0.0276" in "\n".join(reproduction.lines())  # Beauty, long tail, as printed


def test_seeds_run_with_the_projects_own_last(tmp_path: Path) -> None:
    project = Project(tmp_path)
    arms = Wanted((5,), seeds=(42, 43)).arms(project)
    seeds = [arm.settings.get("seed", 42) for arm in arms]
    assert seeds == sorted(seeds, reverse=True)
    assert seeds.count(42) == seeds.count(43) == len({arm.name for arm in arms}) / 2


def test_tables_share_their_evaluations(tmp_path: Path) -> None:
    project = Project(tmp_path)
    alone = {arm.name for arm in Wanted((4,)).arms(project)}
    both = [arm.name for arm in Wanted((2, 4)).arms(project)]
    assert alone < set(both)
    assert len(set(both)) == len(both)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Name what to reproduce"),
        (["--table", "6"], "There is no table 6"),
        (["--table", "two"], "--table wants numbers"),
        (["--figure", "4"], "There is no figure 4"),
        (["--table", "2", "--data", "toys=nowhere.yaml"], "nowhere.yaml"),
        (["--table", "2", "--data", "toys", "--data", "beauty"], "a lake of its own"),
        (["--table", "4", "--set", "split.holdout=none"], "There is nothing to evaluate"),
        (["--table", "2", "--set", "evaluate.ks=[10]"], "There is no metric ndcg@5"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", *arguments, "--set", "lake.root=l"]) == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert shown.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
