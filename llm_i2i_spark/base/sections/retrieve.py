"""Section `retrieve`: how many steps of users are compared, and how the similar ones vote."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from llm_i2i_spark.base.sections.section import RUNTIME, Section


class RetrieveConfig(Section):
    """How many steps of users are compared with a user's history, and how the similar ones vote."""

    examples: int = Field(
        100_000,
        ge=1,
        description="steps of users that are drawn as in-context examples; every task holds them",
    )
    neighbors: int = Field(64, ge=1, description="examples retrieved for each user")
    reasoning_weight: float = Field(
        0.25,
        ge=0,
        le=1,
        description="part of the similarity that is due to the example's reasoning, the rest is "
        "due to its history",
    )
    temperature: float = Field(
        0.1, gt=0, description="an example's vote is exp(similarity / temperature)"
    )
    per_user: int = Field(50, ge=1, description="items proposed for each user at most")
    batch_tokens: int = Field(
        16_384, ge=16, description="tokens of one forward pass at most, padding counted"
    )
    partitions: int = Field(8, ge=1, description="user buckets, as in generate")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="of the model; auto: a GPU where there is one",
        json_schema_extra=RUNTIME,
    )
