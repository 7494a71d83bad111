"""Section `split`: which interactions are held out, and which folds the models may see."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from llm_i2i_spark.base.moments import unix_micros
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
    test_from: str | None = Field(
        None,
        description="holdout=time: rows from this moment on (2014-05-01, 2014-05-01T12:00:00Z) are "
        "the test fold; None: by holdout_share",
    )
    valid_from: str | None = Field(
        None,
        description="holdout=time: rows from this moment to test_from are the validation fold; "
        "None: there is none where test_from is given",
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

    @field_validator("test_from", "valid_from")
    @classmethod
    def _check_moment(cls, moment: str | None) -> str | None:
        if moment is not None:
            try:
                unix_micros(moment)
            except ValueError:
                raise ValueError(
                    "a moment is a day or a time of ISO 8601, such as 2014-05-01 or"
                    " 2014-05-01T12:00:00Z"
                ) from None
        return moment

    @model_validator(mode="after")
    def _check_cuts(self) -> SplitConfig:
        problem = cut_problem(self.holdout, self.test_from, self.valid_from)
        if problem:
            raise ValueError(problem)
        return self


def cut_problem(
    holdout: str, test_from: str | datetime | None, valid_from: str | datetime | None
) -> str | None:
    """What is wrong with the moments at which a log is cut, as half a sentence; None where nothing.

    Args:
        holdout: which rows are held out.
        test_from: first moment of the test fold.
        valid_from: first moment of the validation fold.

    Raises:
        ValueError: a text is no moment.
    """
    cuts = [unix_micros(moment) for moment in (valid_from, test_from) if moment is not None]
    if holdout != "time" and cuts:
        return "test_from and valid_from cut the log in time: set holdout=time as well"
    if valid_from is None:
        return None
    if test_from is None:
        return "valid_from needs test_from, where the validation fold ends"
    if cuts[0] >= cuts[1]:
        return f"valid_from ({valid_from}) must be before test_from ({test_from})"
    return None
