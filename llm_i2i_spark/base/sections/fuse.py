"""Section `fuse`: which synthetic interactions join the real ones, and their weight."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from llm_i2i_spark.base.sections.section import Section

Share = Annotated[float, Field(ge=0, le=1)]


class FuseConfig(Section):
    """Which synthetic rows join the real ones, and with what weight."""

    mode: Literal["soft", "threshold"] = Field(
        "soft", description="soft: weight by confidence; threshold: weight 1 from a confidence on"
    )
    score: Literal["confidence", "p_yes"] = Field(
        "confidence",
        description="how credible a synthetic row is: its calibrated confidence, or the "
        "discriminator's probability of Yes",
    )
    threshold: float = Field(
        0.012,
        ge=0,
        le=1,
        description="mode threshold: lowest `score` that is kept, with weight 1",
    )
    band: tuple[Share, Share] = Field(
        (0.0, 1.0),
        description="of the synthetic rows in the order of their `score`, the least first: those "
        "between these two shares of them are used; [0, 1] uses all",
    )
    per_user: int | None = Field(
        None,
        ge=0,
        description="synthetic rows of a user at most, those of the highest `score`; None: all",
    )
    soft_weight_scale: Annotated[float, Field(gt=0)] | Literal["auto"] = Field(
        "auto",
        description="mode soft: weight = min(1, score / soft_weight_scale). auto: such that "
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

    @field_validator("band")
    @classmethod
    def _check_band(cls, band: tuple[float, float]) -> tuple[float, float]:
        if band[0] >= band[1]:
            raise ValueError("a band goes from a lower share to a higher one, such as [0.8, 1]")
        return band
