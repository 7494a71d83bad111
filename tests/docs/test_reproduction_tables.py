"""The page of the paper's tables shows what was recorded, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

from llm_i2i_spark.evaluate.figures import Figure
from llm_i2i_spark.experiments.reproduction.rows import TableRow
from llm_i2i_spark.experiments.reproduction.table import ReproducedTable, make_table

SEEDS = (42, 43)


@pytest.fixture
def table() -> ReproducedTable:
    """Table 4 with figures that are easy to tell apart; the published rule has kept nothing."""

    def by_seed(row: TableRow, metric: str) -> tuple[Figure, ...]:
        value = 0.1 if row.baseline is None else 0.2
        found: Figure = {
            "value": value + 0.001 * len(metric),
            "interval": [value - 0.01, value + 0.02],
        }
        if row.baseline is not None:
            found["relative_gain_interval"] = [0.5, 1.25]
        return (found,) * len(SEEDS)

    whole = make_table(4, "beauty", SEEDS, 1234, by_seed)
    bare = tuple(row for row in whole.rows if row.mode == "hard")
    return make_table(4, "beauty", SEEDS, 1234, by_seed, bare)


def test_a_recorded_table_is_the_table_again(
    reproduction_tables: ModuleType, table: ReproducedTable
) -> None:
    printed = json.loads(json.dumps(table.to_dict()))
    again = reproduction_tables.table_of(printed)
    assert again.cells() == table.cells()
    assert again.caption == table.caption
    assert again.bare == table.bare


def test_a_page_gets_its_tables_between_the_marks(
    reproduction_tables: ModuleType,
    table: ReproducedTable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reproduction_tables, "RECORDED", tmp_path)
    result = {"report": "/a/path", "costs": {}, "tables": [table.to_dict()]}
    (tmp_path / "printed.json").write_text(json.dumps(result))
    reproduction_tables.keep("beauty", tmp_path / "printed.json")
    assert "/a/path" not in (tmp_path / "beauty.json").read_text()
    page = "before\n<!-- made: table 4 beauty -->\nold\n<!-- end -->\nafter\n"
    made = reproduction_tables.filled(page)
    assert made.startswith("before\n<!-- made: table 4 beauty -->\n\n| | R@10 | gain | N@10 |")
    assert "| + LLM-I2I, long tail | .2090 (.2090 to .2090) | +91.7 % (+50.0 to +125.0) |" in made
    assert made.count("+ LLM-I2I, all items |") == 1  # rows that are the log as it is are left out
    assert "1,234 users, seeds 42, 43" in made
    assert made.endswith("<!-- end -->\nafter\n")
    assert "\nold\n" not in made
    assert reproduction_tables.filled(made) == made


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
