"""What the language models run on: how many devices, how fast one is, what an hour of it costs."""

from __future__ import annotations

import os
from dataclasses import dataclass

from llm_i2i_spark.base.environment import GPUS
from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.sections.cost import CORE, GPU, CostConfig

TERAFLOPS = {CORE: 0.03, GPU: 300.0}
"""10^12 operations a second that a device sustains where the options do not say it: a core measured
with the compact model (docs/cost.md), a GPU assumed: three tenths of the bf16 rate of an H100.
"""


@dataclass(frozen=True)
class Hardware:
    """The devices of the language models.

    Attributes:
        device: its name.
        devices: how many.
        teraflops: 10^12 floating-point operations a second that one sustains.
        price: of an hour of one; None where none is given.
        currency: of the price.
    """

    device: str
    devices: int
    teraflops: float
    price: float | None
    currency: str

    @classmethod
    def of_config(cls, config: CostConfig) -> Hardware:
        """The devices that section `cost` names, or those of this machine.

        Raises:
            ConfigError: the speed of the device is not known.
        """
        gpus = len(list(GPUS.iterdir())) if GPUS.is_dir() else 0
        device = config.device or (GPU if gpus else CORE)
        speeds = TERAFLOPS | config.teraflops
        if device not in speeds:
            raise ConfigError(
                f"Nothing says how fast cost.device={device} is: set cost.teraflops.{device}, the"
                " 10^12 operations a second that one sustains, such as 400 for an H100."
            )
        here = (os.cpu_count() or 1) if device == CORE else max(gpus, 1)
        return cls(
            device,
            config.devices or here,
            speeds[device],
            config.prices.get(device),
            config.currency,
        )

    def device_hours(self, operations: float) -> float:
        """Hours that one device would take."""
        return operations / (self.teraflops * 1e12) / 3600

    def money(self, device_hours: float) -> float | None:
        """What some hours of a device cost; None without a price."""
        return None if self.price is None else device_hours * self.price
