"""What the language models of a plan will cost, and what a stage that ran has cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from llm_i2i_spark.base.run_record import Histories
from llm_i2i_spark.base.sections.cost import CORE
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.cost.estimate import Estimate, number, short
from llm_i2i_spark.cost.hardware import Hardware
from llm_i2i_spark.cost.log_size import LogSize, counts_of_lake
from llm_i2i_spark.cost.model_size import ModelSize
from llm_i2i_spark.cost.works import WORKS, Work, works_of
from llm_i2i_spark.pipeline.plan import PlanCost, PlannedResult, PlannedStage

ASKS_MODELS = (*WORKS, "retrieve")
"""The stages that keep the devices of the language models busy."""


def plan_cost(stages: Sequence[PlannedStage], histories: Histories) -> PlanCost:
    """What the results of a plan that have to be made will cost, from the counts of the log that
    the lake holds.

    Args:
        stages: of the plan.
        histories: of the tables.

    Raises:
        ConfigError: the speed of `cost.device` is not known.
    """
    todo = [
        (planned.stage.name, result)
        for planned in stages
        for result in planned.results
        if planned.stage.name in WORKS and not result.up_to_date
    ]
    if not todo:
        return PlanCost(None, "")
    config = todo[0][1].config
    hardware, model = Hardware.of_config(config.cost), ModelSize.of_config(config)
    if model is None:
        return PlanCost(
            None,
            f"cost of the language models: not known, since the sizes of {config.sft.base_model}"
            " cannot be read on this machine.",
        )
    counts = counts_of_lake(histories)
    if counts is None:
        return PlanCost(
            None,
            "cost of the language models: known once the log is counted; run stage ingest (--to"
            " ingest), then explain.",
        )
    works = [
        work
        for stage, result in todo
        for work in works_of(stage, result.config, _log_of(counts, result.config), model)
    ]
    busy = _busy(todo, hardware)
    return PlanCost(Estimate(_log_of(counts, config), model, hardware, _summed(works), busy), "")


def _log_of(counts: Mapping[str, Any], config: Config) -> LogSize:
    """What models see of the log by the options of a result."""
    return LogSize.of_counts(counts, config.model_folds, config.split.hold_back)


def _summed(works: Sequence[Work]) -> tuple[Work, ...]:
    """The same work for several results as one."""
    found: dict[tuple[str, str], Work] = {}
    for work in works:
        key = work.stage, work.name
        before = found.get(key, Work(*key, 0, 0, 0))
        found[key] = Work(
            *key,
            before.prompts + work.prompts,
            before.tokens + work.tokens,
            before.operations + work.operations,
        )
    return tuple(found.values())


def _busy(todo: Sequence[tuple[str, PlannedResult]], hardware: Hardware) -> dict[str, int]:
    """A compact model trains on one core; as many at the same time as there are results."""
    trained = [result for stage, result in todo if stage == "sft"]
    if not trained or hardware.device != CORE or trained[0].config.sft.base_model is not None:
        return {}
    return {"sft": min(len(trained), hardware.devices)}


class Bill(NamedTuple):
    """What a stage has taken of the devices of the language models.

    Attributes:
        tokens: that the models read, padding not counted; None where nobody has counted them.
        device_hours: wall clock, times the devices that were kept busy.
        money: for these hours; None without a price.
        currency: of the money.
        device: what they ran on.
    """

    tokens: int | None
    device_hours: float
    money: float | None
    currency: str
    device: str

    def values(self) -> dict[str, Any]:
        """The bill as JSON holds it, without what is not known."""
        tokens = {} if self.tokens is None else {"tokens": self.tokens}
        hours = {"device": self.device, "device_hours": round(self.device_hours, 6)}
        if self.money is None:
            return {**tokens, **hours}
        return {**tokens, **hours, "money": round(self.money, 6), "currency": self.currency}

    def __str__(self) -> str:
        parts = [] if self.tokens is None else [f"{short(self.tokens)} tokens"]
        parts.append(f"{number(self.device_hours)} {self.device}-hours")
        if self.money is not None:
            parts.append(f"{number(self.money)} {self.currency}")
        return ", ".join(parts)


def bill_of(
    stage: str, results: Sequence[PlannedResult], seconds: float, tokens: int | None
) -> Bill | None:
    """What a stage has cost; None for one that asks no language model.

    Args:
        stage: its name.
        results: that it has made.
        seconds: of wall clock.
        tokens: that the models read; None where nobody has counted them.
    """
    if stage not in ASKS_MODELS:
        return None
    hardware = Hardware.of_config(results[0].config.cost)
    busy = _busy([(stage, result) for result in results], hardware)
    hours = seconds / 3600 * busy.get(stage, hardware.devices)
    return Bill(tokens, hours, hardware.money(hours), hardware.currency, hardware.device)
