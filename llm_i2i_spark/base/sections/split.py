"""Section `split`: which interactions are held out, and which folds the models may see."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from llm_i2i_spark.base.sections.section import Section


class SplitConfig(Section):
    """Which interactions are held out for evaluation, and which folds the models may see."""

    holdout: Literal["none", "last_1", "last_2", "time"] = Field(
        "last_2",
        description="last_2: each user's last row tests, the one before it validates; time: the "
        "latest rows of the log; none: nothing is held out",
    )
    holdout_share: float = Field(
        0.1,
        gt=0,
        lt=0.5,
        description="holdout=time: share of latest rows that becomes each held-out fold",
    )
    protocol: Literal["strict", "refit", "all"] = Field(
        "refit",
        description="what the models see. strict: the training fold; refit: training and "
        "validation fold; all: every row, for the index that is served",
    )
    hold_back: int = Field(
        0,
        ge=0,
        le=1,
        description="latest interactions of each user, of those that the models would see, that "
        "they do not; backbones that are trained set it for what they are trained on",
    )
    held_back_items: Annotated[float, Field(ge=0, lt=0.5)] | Literal["auto"] = Field(
        "auto",
        description="share of the items that what trained backbones are taught on sees no row of, "
        "so that they learn about items without a click. auto: as large a share as those have of "
        "the catalogue, at most 0.05",
    )
