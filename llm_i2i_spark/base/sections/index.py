"""Section `index`: the served neighbour lists, and how a lookup merges them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from llm_i2i_spark.base.sections.section import Section


class IndexConfig(Section):
    """The served index and how a lookup merges its lists."""

    size: int = Field(200, ge=1, description="neighbours kept for each item")
    normalize: Literal["auto", "none", "row"] = Field(
        "auto",
        description="row: scores over the row's Euclidean length; auto: what suits the backbone",
    )
    popularity_exponent: float | None = Field(
        None,
        ge=0,
        description="score * (clicks of the neighbour) ** -exponent; None: what suits the backbone",
    )
    new_item_boost: float = Field(
        1.0,
        gt=0,
        description="factor of the scores of neighbours that nobody clicked; above 1 it shows new "
        "items more often, at the cost of the others",
    )
    recent_items: int = Field(
        10, ge=1, description="latest clicks of a user whose lists are merged"
    )
    decay: float = Field(
        0.6, gt=0, le=1, description="weight of a click relative to the next later one"
    )
