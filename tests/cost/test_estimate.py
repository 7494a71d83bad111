"""Hours and money from operations, by the price table of the user."""

from __future__ import annotations

import pytest

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.sections.cost import CostConfig
from llm_i2i_spark.cost.estimate import Estimate
from llm_i2i_spark.cost.hardware import Hardware
from llm_i2i_spark.cost.log_size import LogSize
from llm_i2i_spark.cost.model_size import ModelSize
from llm_i2i_spark.cost.works import Work

PRICED = CostConfig(
    currency="EUR", device="h100", devices=8, prices={"h100": 2.5}, teraflops={"h100": 400}
)
WORKS = (
    Work("sft", "train generator", 1000, 9e6, 3600 * 400e12 * 16),
    Work("generate", "items for users", 10, 30, 3600 * 400e12 * 4),
)


def estimate(cost: CostConfig, **busy: int) -> Estimate:
    model = ModelSize("a model", 7e9, 0, 32, 4096, 256)
    return Estimate(LogSize((3,), 5, 0), model, Hardware.of_config(cost), WORKS, busy)


def test_hours_and_money_follow_from_speed_number_and_price() -> None:
    found = estimate(PRICED)
    assert (found.device_hours, found.hours, found.money) == (20, 2.5, 50)
    head, names, first, *_ = found.lines()
    assert "3 users and 5 items; a model with 7.00 G parameters" in head
    assert "8 x h100 of 400 TFLOP/s at 2.5 EUR an hour" in head
    assert names.split()[-3:] == ["h100-hours", "hours", "EUR"]
    cells = "sft train generator 1,000 9,000.0 9.00 M 23.0 E 16.0 2.0 40.0"
    assert first.split() == cells.split()
    assert found.values()["works"][1] | {"operations": 0} == {
        "stage": "generate",
        "work": "items for users",
        "prompts": 10,
        "tokens": 30,
        "operations": 0,
        "device_hours": 4,
        "hours": 0.5,
        "money": 10,
    }


def test_a_stage_alone_has_its_own_sums() -> None:
    alone = estimate(PRICED).of_stage("generate")
    assert (alone.tokens, alone.device_hours, alone.money) == (30, 4, 10)


def test_a_stage_that_keeps_one_device_busy_takes_as_long_as_it_does_alone() -> None:
    assert estimate(PRICED, sft=1).hours == 16 + 0.5
    assert estimate(PRICED, sft=1).money == 50


def test_without_prices_there_are_hours_of_this_machine_and_no_money() -> None:
    found = estimate(CostConfig(device="core"))
    assert found.money is None
    assert found.hardware.devices >= 1
    assert "no money: cost.prices.core is not set" in found.lines()[0]
    assert found.values()["money"] is None


def test_a_device_of_unknown_speed_is_refused_with_what_to_set() -> None:
    with pytest.raises(ConfigError, match=r"set cost\.teraflops\.a100"):
        Hardware.of_config(CostConfig(device="a100", prices={"a100": 1.5}))
