"""Section `fuse`: which synthetic interactions join the real ones, and their weight."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from llm_i2i_spark.base.sections.section import Section


class FuseConfig(Section):
    """Which synthetic rows join the real ones, and with what weight."""

    mode: Literal["soft", "threshold"] = Field(
        "soft", description="soft: weight by confidence; threshold: weight 1 from a confidence on"
    )
    threshold: float = Field(
        0.012,
        ge=0,
        le=1,
        description="mode threshold: lowest calibrated confidence that is kept, with weight 1",
    )
    soft_weight_scale: Annotated[float, Field(gt=0)] | Literal["auto"] = Field(
        "auto",
        description="mode soft: weight = min(1, confidence / soft_weight_scale). auto: such that "
        "synthetic rows weigh `synthetic_mass` times as much as the real ones together",
    )
    synthetic_mass: float = Field(
        1.0,
        gt=0,
        description="mode soft with soft_weight_scale=auto: weight of all synthetic rows over that "
        "of all real ones; less where the candidates are too few",
    )
    min_weight: float = Field(0.01, ge=0, le=1, description="mode soft: lighter rows are left out")
    drop_real_below: float = Field(
        0.0, ge=0, le=1, description="real rows with a lower p_yes are dropped; 0 keeps all"
    )
