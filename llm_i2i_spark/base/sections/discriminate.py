"""Section `discriminate`: what the discriminator scores."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from llm_i2i_spark.base.sections.section import RUNTIME, Section


class DiscriminateConfig(Section):
    """What the discriminator scores."""

    score_real: bool = Field(
        True, description="also score the real interactions, so that fuse can drop or report them"
    )
    batch_tokens: int = Field(
        16_384, ge=16, description="tokens of one forward pass at most, padding counted"
    )
    partitions: int = Field(8, ge=1, description="user buckets, as in generate")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="of the models; auto: a GPU where there is one",
        json_schema_extra=RUNTIME,
    )
