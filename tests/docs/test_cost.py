"""The page "What it costs": its tables are the estimate, and its sentences hold."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from llm_i2i_spark.config.config import Config
from llm_i2i_spark.cost.estimate import number, short
from llm_i2i_spark.cost.log_size import geometric_log
from llm_i2i_spark.cost.model_size import ModelSize
from llm_i2i_spark.cost.works import Work, works_of

DOCS = Path(__file__).resolve().parents[2] / "docs"
SETTINGS = {"sft.base_model": "any", "sft.epochs": 1, "sft.discriminator.epochs": 1}


@pytest.fixture(scope="module")
def page(hooks: ModuleType) -> str:
    return str(hooks.on_page_markdown((DOCS / "cost.md").read_text()))


def works_in(layout: str, **settings: object) -> list[Work]:
    """By the numbers that the page's words name, and no others."""
    config = Config().with_settings({**SETTINGS, "export.layout": layout, **settings})
    log = geometric_log(209e6, 68e6, 48, 108)
    model = ModelSize("7 B", 6.48e9, 0.26e9, 32, 4096, 4096)
    return [
        work
        for stage in ("sft", "generate", "discriminate")
        for work in works_of(stage, config, log, model)
    ]


@pytest.mark.parametrize("layout", ["sequence", "instruct"])
def test_every_work_stands_in_the_page_with_the_hours_of_the_estimate(
    layout: str, page: str
) -> None:
    table = page.partition(f"Layout `{layout}`:")[2].split("\n\n")[1]
    found = {line.split(" | ")[1]: line.strip("| ").split(" | ")[2:] for line in table.splitlines()}
    for work in works_in(layout):
        hours = work.operations / 400e12 / 3600
        assert found[work.name] == [
            *(short(work.prompts), number(work.tokens / work.prompts), short(work.tokens)),
            *(short(work.operations), *(number(hours / gpus) for gpus in (1, 8, 64, 512))),
        ]


def test_what_the_page_says_of_the_largest_works_holds(page: str) -> None:
    largest = {
        layout: max(works_in(layout), key=lambda work: work.operations).name
        for layout in ("sequence", "instruct")
    }
    assert largest == {"sequence": "draw hard negatives", "instruct": "train generator"}
    assert "most are the search for hard negatives" in " ".join(page.split())
    fewer = {"export.hard_negatives_from": 25}
    hard = [
        next(one for one in works if one.name == "draw hard negatives").operations
        for works in (works_in("sequence"), works_in("sequence", **fewer))
    ]
    assert hard[1] < 0.3 * hard[0]
    first = page.partition("| what one process holds |")[2].splitlines()[2]
    assert first.startswith("| a rank of fine-tuning: all examples |")


def test_swing_costs_what_the_page_on_operations_says(hooks: ModuleType) -> None:
    script = hooks.GENERATED["cost_of_spark"].__globals__
    hours, shipped = script["swing_hours"](0)
    operations = (DOCS / "operations.md").read_text()
    assert shipped == pytest.approx(3.8e12, rel=0.01)
    assert "= 3.8 TB" in operations
    for step, words in (("reading", "reading, item ids, users' rows"), ("shipping", "shipping")):
        told = re.search(rf"\| {words} \| (\d+) core-hours", operations)
        assert told is not None
        assert hours[step] == pytest.approx(float(told[1]), rel=0.03)


def test_the_example_of_the_page_is_a_plan_of_today(page: str) -> None:
    example = page.partition("```text")[2].partition("```")[0]
    config = Config().with_settings({"export.layout": "sequence"})
    log = geometric_log(2_000, 2_000, 8.5, 60)
    model = ModelSize.of_config(config)
    assert model is not None
    for stage in ("sft", "generate", "discriminate"):
        for work in works_of(stage, config, log, model):
            assert work.name in example
    assert f"{short(model.matrices)} parameters" in example
