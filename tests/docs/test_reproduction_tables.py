"""The page of the paper's tables shows what was recorded, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from llm_i2i_spark.evaluate.figures import Figure
from llm_i2i_spark.evaluate.metric_rows import MetricRow
from llm_i2i_spark.experiments.arms import Arm, EvaluatedArm, find_metric
from llm_i2i_spark.experiments.reproduction.rows import TableRow
from llm_i2i_spark.experiments.reproduction.table import ReproducedTable, make_table
from llm_i2i_spark.experiments.sweeps.presets import find_preset
from llm_i2i_spark.experiments.sweeps.result import Sweep
from llm_i2i_spark.pipeline.plan import Plan

SEEDS = (42, 43)


def table_of_seeds(*seeds: int) -> ReproducedTable:
    """Table 4 with figures that are easy to tell apart; the published rule has kept nothing."""

    def by_seed(row: TableRow, metric: str) -> tuple[Figure, ...]:
        value = (0.1 if row.baseline is None else 0.2) + 0.001 * len(metric)
        found = []
        for seed in seeds:
            one = value + (seed - SEEDS[0]) / 100
            figure: Figure = {"value": one, "interval": [one - 0.01, one + 0.02]}
            if row.baseline is not None:
                figure["relative_gain_interval"] = [0.5, 1.25]
            found.append(figure)
        return tuple(found)

    whole = make_table(4, "beauty", seeds, 1234, by_seed)
    bare = tuple(row for row in whole.rows if row.mode == "hard")
    return make_table(4, "beauty", seeds, 1234, by_seed, bare)


@pytest.fixture
def table() -> ReproducedTable:
    """Of both seeds."""
    return table_of_seeds(*SEEDS)


@pytest.fixture
def sweep() -> Sweep:
    """The preset `alpha`, its values easy to tell apart; no user holds out a long-tail item."""
    points = find_preset("alpha")

    def evaluated(number: int) -> EvaluatedArm:
        def row(variant: str, name: str, value: float, k: int = 10) -> MetricRow:
            return {
                **{"run_id": "", "variant": variant, "backbone": "swing", "protocol": "strict"},
                **{"slice": "all", "name": name, "k": k, "value": value},
                **{"ci_low": value - 0.01, "ci_high": value + 0.02, "n": 1234},
            }

        rows = (
            row("real", "recall", 0.1),
            row("llm_i2i", "recall", 0.2 + number / 100),
            row("llm_i2i", "recall_relative_gain", 1 + number / 10),
            row("llm_i2i", "synthetic_share", 0.5, k=0),
        )
        arm = Arm("", "llm_i2i", "swing", points.points[number].settings)
        return EvaluatedArm(arm, "", Plan((), ()), rows)

    arms = tuple(map(evaluated, range(len(points.points))))
    metric = find_metric("recall@10", (10,))
    return Sweep(points, metric, "llm_i2i", "swing", "valid", arms, "/a/path")


Keep = Callable[[str, dict[str, Any]], None]


@pytest.fixture
def keep(reproduction_tables: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keep:
    """Keeps what was printed for a data set, in a folder of the test's own."""
    monkeypatch.setattr(reproduction_tables, "RECORDED", tmp_path)

    def kept(name: str, printed: dict[str, Any]) -> None:
        (tmp_path / "printed").write_text(json.dumps(printed))
        reproduction_tables.keep(name, tmp_path / "printed")
        assert "/a/path" not in (tmp_path / f"{name}.json").read_text()

    return kept


def test_a_recorded_table_is_the_table_again(
    reproduction_tables: ModuleType, table: ReproducedTable
) -> None:
    printed = json.loads(json.dumps(table.to_dict()))
    again = reproduction_tables.table_of(printed)
    assert again.cells() == table.cells()
    assert again.caption == table.caption
    assert again.bare == table.bare


def test_a_page_gets_its_tables_between_the_marks(
    reproduction_tables: ModuleType, table: ReproducedTable, keep: Keep
) -> None:
    keep("beauty", {"report": "/a/path", "costs": {}, "tables": [table.to_dict()]})
    page = "before\n<!-- made: table 4 beauty -->\nold\n<!-- end -->\nafter\n"
    made = reproduction_tables.filled(page)
    assert made.startswith("before\n<!-- made: table 4 beauty -->\n\n| | R@10 | gain | N@10 |")
    assert "| + LLM-I2I, long tail | .2140 (.2090 to .2190) | +87.9 % (+50.0 to +125.0) |" in made
    assert made.count("+ LLM-I2I, all items |") == 1  # rows that are the log as it is are left out
    assert "1,234 users, seeds 42, 43" in made
    assert made.endswith("<!-- end -->\nafter\n")
    assert "\nold\n" not in made
    assert reproduction_tables.filled(made) == made


def test_seeds_that_were_printed_one_by_one_come_together(
    reproduction_tables: ModuleType, table: ReproducedTable, keep: Keep
) -> None:
    printed = {"apart": [*reversed(SEEDS), SEEDS[0]], "together": [SEEDS]}
    for name, runs in printed.items():
        for seeds in runs:
            made = table if seeds == SEEDS else table_of_seeds(seeds)
            costs = {"beauty": {"together": 60.0, "alone": 90.0}}
            keep(name, {"costs": costs, "tables": [made.to_dict()], "figures": []})
    apart = reproduction_tables.recorded("apart")
    assert apart["tables"] == reproduction_tables.recorded("together")["tables"]
    assert list(apart["costs"]) == ["tables 4, seeds 43", "tables 4, seeds 42"]
    assert reproduction_tables.table_of(apart["tables"][0]).cells() == table.cells()


def test_a_page_gets_its_sweeps_between_the_marks(
    reproduction_tables: ModuleType, sweep: Sweep, keep: Keep
) -> None:
    keep("beauty", sweep.to_dict())
    made = reproduction_tables.filled("<!-- made: sweep alpha beauty -->\n<!-- end -->\n")
    assert "\n| sft.alpha | R@10 | gain | R@10, long tail | synthetic share |\n" in made
    assert "| 2 | .2100 (.2000 to .2300) | +110.0 % (+109.0 to +112.0) | | 50 % |" in made
    assert "Swing, 1,234 users, validation fold." in made
    pictures = reproduction_tables.pictures()
    assert [path.name for path in pictures] == ["sweep_beauty_alpha_all.svg"]
    assert "sft.alpha" in next(iter(pictures.values()))


def test_the_page_is_what_was_recorded(reproduction_tables: ModuleType) -> None:
    page = reproduction_tables.PAGE.read_text()
    assert reproduction_tables.filled(page) == page, "run python docs/reproduction_tables.py"
    for path in reproduction_tables.pictures():
        assert path.exists(), "run python docs/reproduction_tables.py"
        assert f"figures/{path.name}" in page


def test_a_picture_has_its_colours_in_itself(
    reproduction_tables: ModuleType, table: ReproducedTable
) -> None:
    drawn = reproduction_tables.plot_table(table)
    assert "var(--system-1)" in drawn
    picture = reproduction_tables.standalone(drawn)
    assert "var(" not in picture
    assert picture.count("#") > drawn.count("#")


def test_a_picture_of_several_lines_has_their_names_above_it(
    reproduction_tables: ModuleType,
) -> None:
    point = reproduction_tables.PlottedPoint("1", {"value": 0.1})
    drawn = reproduction_tables.plot_series({"a": [point], "b": [point]}, "axis", "title", False)
    named = reproduction_tables.with_legend(drawn, ["as clicks", "by confidence"])
    assert named.index(">as clicks<") < named.rindex("var(--system-2)") < named.index(">by conf")
    assert 'viewBox="0 -20 ' in named
    assert reproduction_tables.with_legend(drawn, ["alone"]) == drawn
