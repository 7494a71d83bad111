"""Section `fuse`: which synthetic interactions join the real ones, and their weight."""

from __future__ import annotations

from typing import Literal

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
    soft_weight_scale: float = Field(
        0.05, gt=0, description="mode soft: weight = min(1, confidence / soft_weight_scale)"
    )
    min_weight: float = Field(0.01, ge=0, le=1, description="mode soft: lighter rows are left out")
    drop_real_below: float = Field(
        0.0, ge=0, le=1, description="real rows with a lower p_yes are dropped; 0 keeps all"
    )
