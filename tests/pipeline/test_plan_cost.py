"""A plan says what its language models will cost, and a stage that ran what it has cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_i2i_spark.cost.log_size import LOG_SIZE
from llm_i2i_spark.pipeline.plan import Plan
from llm_i2i_spark.pipeline.plan_cost import bill_of
from tests.pipeline.memory_lake import Shop

COUNTS = {"at_position": {"train": [30, 20, 10], "test": [0, 0, 10]}, "items": 40, "text_bytes": 9}
CORE = ("cost.device=core", "cost.devices=2")


def count_log(shop: Shop) -> None:
    """Put the counts into the record of the last ingest, as stage ingest does."""
    history = shop.lake.histories["item_stats"]
    record = replace(history[0].record, attributes={LOG_SIZE: COUNTS})
    history[0] = replace(history[0], record=record)


def works(plan: Plan) -> dict[str, float]:
    assert plan.cost is not None
    return {work.name: work.tokens for work in plan.cost.works}


def test_before_ingest_a_plan_says_that_the_cost_is_not_known_yet(shop: Shop) -> None:
    plan = shop.plan(("llm_i2i",))
    assert plan.cost is None
    assert "run stage ingest (--to ingest), then explain" in str(plan)
    assert "cost" not in str(shop.plan(("real",)))


def test_a_base_model_on_another_machine_has_a_cost_that_is_not_known_here(shop: Shop) -> None:
    shop.run("real")
    count_log(shop)
    elsewhere = shop.given("sft.base_model=/another/machine").plan(("llm_i2i",))
    assert elsewhere.cost is None
    assert "the sizes of /another/machine cannot be read on this machine" in str(elsewhere)


def test_a_plan_tells_the_cost_of_the_models_that_it_runs_and_of_no_others(shop: Shop) -> None:
    shop = shop.given(*CORE, "cost.prices.core=0.1")
    shop.run("real")
    count_log(shop)
    plan = shop.plan(("llm_i2i",))
    assert works(plan)["items for users"] == 10 * (2 + 3 + 4)
    assert plan.cost.money == pytest.approx(0.1 * plan.cost.device_hours)
    assert plan.lines()[-1].split()[0] == "all"
    shop.run("llm_i2i")
    count_log(shop)
    assert shop.plan(("llm_i2i",)).cost is None
    # Proposals alone are made again.
    again = works(shop.given("generate.per_user=7").plan(("llm_i2i",), last="generate"))
    assert {"items for users", "items for items"} <= set(again)


def test_a_trained_backbone_has_its_models_twice(shop: Shop) -> None:
    shop = shop.given(*CORE)
    shop.run("real")
    count_log(shop)
    once = works(shop.plan(("llm_i2i",), ("swing",), last="sft"))["train generator"]
    both = shop.plan(("llm_i2i",), ("swing", "blend"), last="sft").cost
    # The second pair is trained on less; it sees the last interaction of nobody.
    assert once < both.works[0].tokens < 2 * once
    assert both.busy == {"sft": 2}


def test_a_bill_has_the_hours_of_the_devices_that_were_busy(shop: Shop) -> None:
    shop = shop.given("cost.device=h100", "cost.devices=8", "cost.teraflops.h100=400")
    shop = shop.given("cost.prices.h100=2.5", "cost.currency=EUR")
    results = {one.stage.name: one.results for one in shop.plan(("llm_i2i",)).stages}
    bill = bill_of("generate", results["generate"], 1800.0, 12_300_000)
    assert bill is not None
    assert str(bill) == "12.3 M tokens, 4.0 h100-hours, 10.0 EUR"
    assert bill.values() == {
        "tokens": 12_300_000,
        "device": "h100",
        "device_hours": 4.0,
        "money": 10.0,
        "currency": "EUR",
    }
    assert bill_of("fuse", results["fuse"], 1800.0, None) is None
    alone = shop.given(*CORE).plan(("llm_i2i",)).stages
    (trained,) = [one.results for one in alone if one.stage.name == "sft"]
    one_core = bill_of("sft", trained, 3600.0, None)
    assert one_core is not None
    assert one_core.values() == {"device": "core", "device_hours": 1.0}
