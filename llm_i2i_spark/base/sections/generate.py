"""Section `generate`: how many interactions and next items are proposed, how tasks are cut."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from llm_i2i_spark.base.sections.section import RUNTIME, Section


class GenerateConfig(Section):
    """How many items the generator proposes for a user and an item, and how its tasks are cut."""

    per_user: int = Field(50, ge=1, description="items proposed for each user")
    per_item: int = Field(
        100, ge=0, description="next items of each item of the catalogue, asked alone; 0: none"
    )
    batch_tokens: int = Field(
        16_384, ge=16, description="tokens of one forward pass at most, padding counted"
    )
    partitions: int = Field(
        8,
        ge=1,
        description="user buckets; fixed, so that results do not depend on the cluster's size",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="of the models; auto: a GPU where there is one",
        json_schema_extra=RUNTIME,
    )
