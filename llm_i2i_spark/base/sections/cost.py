"""Section `cost`: what the devices cost and how fast they are, for the estimate before the work and
the bill after it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from llm_i2i_spark.base.sections.section import RUNTIME, Section

CORE, GPU = "core", "gpu"
"""Names of the devices of the machine at hand."""
Price = Annotated[float, Field(ge=0)]
Speed = Annotated[float, Field(gt=0)]


class CostConfig(Section):
    """What the devices cost that language models run on, and how fast they are. Without prices
    there are hours and no money.
    """

    currency: str = Field("USD", description="of the prices", json_schema_extra=RUNTIME)
    device: str | None = Field(
        None,
        min_length=1,
        description="what language models run on, by its name in `prices` and `teraflops`; None: "
        "gpu where this machine has one, else core",
        json_schema_extra=RUNTIME,
    )
    devices: int | None = Field(
        None, ge=1, description="how many; None: those of this machine", json_schema_extra=RUNTIME
    )
    prices: dict[str, Price] = Field(
        default_factory=dict,
        description="device -> price of an hour of one, such as {h100: 2.5}",
        json_schema_extra=RUNTIME,
    )
    teraflops: dict[str, Speed] = Field(
        default_factory=dict,
        description="device -> 10^12 floating-point operations a second that one sustains, such as "
        "{h100: 400}; core and gpu have values of their own",
        json_schema_extra=RUNTIME,
    )
    bytes_per_token: float = Field(
        3.5,
        gt=0,
        description="UTF-8 bytes of a title that a base model reads as one token",
        json_schema_extra=RUNTIME,
    )
