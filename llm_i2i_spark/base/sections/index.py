"""Section `index`: the served neighbour lists, and how a lookup merges them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from llm_i2i_spark.base.sections.section import Section


class IndexConfig(Section):
    """The served index and how a lookup merges its lists."""

    size: int = Field(200, ge=1, description="neighbours kept for each item")
    normalize: Literal["none", "row"] = Field(
        "row", description="row: scores over the row's Euclidean length"
    )
    popularity_exponent: float = Field(
        0.25, ge=0, description="score * (clicks of the neighbour) ** -exponent"
    )
    recent_items: int = Field(
        10, ge=1, description="latest clicks of a user whose lists are merged"
    )
    decay: float = Field(
        0.8, gt=0, le=1, description="weight of a click relative to the next later one"
    )
