"""Section `export`: what each model is shown."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from llm_i2i_spark.base.sections.section import Section

Layout = Literal["instruct", "sequence"]
"""What models read: prompts with titles, or item tokens alone."""


class ExportConfig(Section):
    """What each model is shown."""

    history_length: int = Field(
        10,
        ge=1,
        description=(
            "latest items of a user that the discriminator is shown, and where prompts have titles"
            " the generator"
        ),
    )
    layout: Literal["auto", "instruct", "dialogue", "sequence"] = Field(
        "auto",
        description=(
            "sequence: item tokens alone, every item of a user a target; instruct: a prompt with"
            " titles and one target; dialogue: the same prompts, those of a user in one pass; auto:"
            " instruct with sft.base_model, sequence without"
        ),
    )
    sequence_length: int = Field(
        50,
        ge=2,
        description="layout sequence: latest items of a user that the generator is shown",
    )
    sequences_per_user: int = Field(
        5,
        ge=1,
        description="layouts sequence and dialogue: training rows of export.sequence_length items"
        " that a user's history is cut into, the latest first; what lies before them is not read",
    )
    max_users: int | None = Field(
        None,
        ge=1,
        description="users whose rows models are trained on, drawn by the seed; None: all. Models"
        " are asked about every user all the same",
    )
    negatives: Literal["random", "generator"] = Field(
        "generator",
        description="generator: some are among those that it ranks high after a history",
    )
    hard_negatives_from: int = Field(
        200, ge=1, description="the generator's best items, from which hard negatives are drawn"
    )
    hard_negatives_share: float = Field(
        0.5, ge=0, le=1, description="of the negatives: how many of them are drawn from those"
    )
    popular_negatives_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="of the negatives: drawn by clicks ** 0.75; the others from the catalogue",
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

    @property
    def popular_negatives(self) -> int:
        """How many of the `negatives_per_positive` are drawn by popularity."""
        return part_of(self.negatives_per_positive, self.popular_negatives_share)

    @model_validator(mode="after")
    def _shares_fit(self) -> ExportConfig:
        if self.hard_negatives_share + self.popular_negatives_share > 1:
            raise ValueError(
                "export.hard_negatives_share and export.popular_negatives_share add up to more than"
                " 1: lower one of them"
            )
        return self


def part_of(number: int, share: float) -> int:
    """A share of a number, rounded down."""
    return int(number * share + 1e-9)
