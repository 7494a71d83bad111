"""Section `evaluate`: what is measured on the held-out interactions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from llm_i2i_spark.base.sections.section import Section


class EvaluateConfig(Section):
    """The evaluation protocol."""

    target: Literal["valid", "test"] = Field(
        "test", description="valid: the second-to-last item is the target (for choosing settings)"
    )
    ks: tuple[int, ...] = Field(
        (5, 10, 20, 50, 100, 200), description="lengths of the lists that are measured"
    )
    bootstrap: int = Field(1000, ge=10, description="resamples of users behind each interval")
    remove_seen: bool = Field(
        True,
        description="items that the user has had are never ranked; false: they compete with the "
        "others, and a clicked item leads its own list, as where nobody removes them",
    )
