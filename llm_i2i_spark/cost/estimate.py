"""What the language models of a run will cost, work by work, and what it is derived from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llm_i2i_spark.cost.hardware import Hardware
from llm_i2i_spark.cost.log_size import LogSize
from llm_i2i_spark.cost.model_size import ModelSize
from llm_i2i_spark.cost.works import Work


@dataclass(frozen=True)
class Estimate:
    """The works of a run with their cost.

    Attributes:
        log: what they read.
        model: that reads.
        hardware: on which.
        works: in the order of the stages.
        busy: how many of the devices a stage keeps busy, by its name, where these are not all.
    """

    log: LogSize
    model: ModelSize
    hardware: Hardware
    works: tuple[Work, ...]
    busy: Mapping[str, int] = field(default_factory=dict)

    @property
    def tokens(self) -> float:
        """Of all works."""
        return sum(work.tokens for work in self.works)

    @property
    def device_hours(self) -> float:
        """Hours that one device would take for all works."""
        return sum(self.hardware.device_hours(work.operations) for work in self.works)

    @property
    def hours(self) -> float:
        """Wall clock of all works, stage after stage."""
        return self._hours(self.works)

    @property
    def money(self) -> float | None:
        """What all works cost; None without a price."""
        return self.hardware.money(self.device_hours)

    def of_stage(self, stage: str) -> Estimate:
        """The works of one stage alone."""
        return replace(self, works=tuple(work for work in self.works if work.stage == stage))

    def _hours(self, works: Iterable[Work]) -> float:
        devices = self.hardware.devices
        return sum(
            self.hardware.device_hours(work.operations) / self.busy.get(work.stage, devices)
            for work in works
        )

    def values(self) -> dict[str, Any]:
        """The estimate as JSON holds it."""
        return {
            "users": round(self.log.users),
            "items": round(self.log.items),
            "model": self.model.name,
            "parameters": round(self.model.matrices + self.model.embeddings),
            "device": self.hardware.device,
            "devices": self.hardware.devices,
            "teraflops": self.hardware.teraflops,
            "price": self.hardware.price,
            "currency": self.hardware.currency,
            "works": [self._work_values(work) for work in self.works],
            "tokens": round(self.tokens),
            "device_hours": self.device_hours,
            "hours": self.hours,
            "money": self.money,
        }

    def _work_values(self, work: Work) -> dict[str, Any]:
        hours = self.hardware.device_hours(work.operations)
        return {
            "stage": work.stage,
            "work": work.name,
            "prompts": round(work.prompts),
            "tokens": round(work.tokens),
            "operations": work.operations,
            "device_hours": hours,
            "hours": self._hours([work]),
            "money": self.hardware.money(hours),
        }

    def lines(self) -> list[str]:
        """The estimate as text: what it is derived from, a line for each work, and their sum."""
        hardware, model = self.hardware, self.model
        price = (
            f" at {hardware.price:g} {hardware.currency} an hour"
            if hardware.price is not None
            else f" (no money: cost.prices.{hardware.device} is not set)"
        )
        rows = [("stage", "work", "prompts", "tokens each", "tokens", "operations", *self._units())]
        for work in self.works:
            each = f"{work.tokens / work.prompts:,.1f}"
            counts = (f"{work.prompts:,.0f}", each, short(work.tokens), short(work.operations))
            rows.append((work.stage, work.name, *counts, *self._cells([work])))
        total = sum(work.operations for work in self.works)
        sums = ("all", "", "", "", short(self.tokens), short(total))
        rows.append((*sums, *self._cells(self.works)))
        return [
            f"cost of the language models, estimated for {self.log.users:,.0f} users and"
            f" {self.log.items:,.0f} items; {model.name} with"
            f" {short(model.matrices + model.embeddings)} parameters beside its item embeddings;"
            f" {hardware.devices} x {hardware.device} of {hardware.teraflops:g} TFLOP/s{price}",
            *_aligned(rows),
        ]

    def _units(self) -> tuple[str, ...]:
        money = () if self.hardware.price is None else (self.hardware.currency,)
        return f"{self.hardware.device}-hours", "hours", *money

    def _cells(self, works: Sequence[Work]) -> tuple[str, ...]:
        hours = sum(self.hardware.device_hours(work.operations) for work in works)
        money = self.hardware.money(hours)
        cells = (number(hours), number(self._hours(works)))
        return cells if money is None else (*cells, number(money))


def short(value: float) -> str:
    """A count in three digits, with the prefix of its thousands.

    Examples:
        >>> short(134_515_000), short(999), short(1.7e21)
        ('135 M', '999', '1.70 Z')
    """
    prefixes = ["", " k", " M", " G", " T", " P", " E", " Z", " Y"]
    while value >= 999.5 and len(prefixes) > 1:
        prefixes.pop(0)
        value /= 1000
    prefix = prefixes[0]
    digits = 0 if value >= 99.5 or not prefix else 1 if value >= 9.95 else 2
    return f"{value:,.{digits}f}{prefix}"


def number(value: float) -> str:
    """Hours or money: whole where they are many, else two digits that count.

    Examples:
        >>> number(1234.5), number(3.14159), number(0.00123)
        ('1,234', '3.1', '0.0012')
    """
    if value >= 99.5 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.2g}" if value < 0.0995 else f"{value:.1f}" if value >= 0.95 else f"{value:.2f}"


def _aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Words on the left, figures on the right."""
    columns = list(zip(*rows, strict=True))
    padded = [
        [cell.ljust(max(map(len, column))) for cell in column]
        if position < 2
        else [cell.rjust(max(map(len, column))) for cell in column]
        for position, column in enumerate(columns)
    ]
    return ["  " + "  ".join(row).rstrip() for row in zip(*padded, strict=True)]
