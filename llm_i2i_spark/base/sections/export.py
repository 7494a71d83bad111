"""Section `export`: what each model is shown."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from llm_i2i_spark.base.sections.section import Section


class ExportConfig(Section):
    """What each model is shown."""

    history_length: int = Field(
        10, ge=1, description="layout instruct: latest items of a user that a prompt shows"
    )
    layout: Literal["auto", "instruct", "sequence"] = Field(
        "auto", description="auto: instruct with sft.base_model, sequence without"
    )
    sequence_length: int = Field(
        50, ge=2, description="layout sequence: the latest items of a user that make one row"
    )
    negatives: Literal["random", "generator"] = Field(
        "generator", description="generator: half of them are items the generator itself ranks high"
    )
    negatives_per_positive: int = Field(
        4, ge=1, description="discriminator examples answered No beside each one answered Yes"
    )
    positives_per_user: int = Field(
        3, ge=1, description="latest observed items of a user that become discriminator positives"
    )
    calibration_share: float = Field(
        0.05, ge=0, lt=0.5, description="users whose last item is withheld, to calibrate confidence"
    )
