"""Section `i2i`: the backbones and their parameters."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from llm_i2i_spark.base.sections.section import Section

CONVENTIONS: dict[str, dict[str, float]] = {
    "flink": {"a1": 15.0, "a2": 0.0, "b": 0.3},
    "alink": {"a1": 5.0, "a2": 1.0, "b": -0.35},
    "pai": {"a1": 5.0, "a2": 1.0, "b": -0.35},
    "farm": {"a1": 0.0, "a2": 0.0, "b": 0.5},
}
"""What other implementations of Swing take for a1, a2 and b by default, in the convention of
`SwingConfig`.
"""


class SwingConfig(Section):
    """Swing's parameters: w_u = (a1 + sum of the user's edge weights)^-b, each user pair over (a2 +
    |common items|).
    """

    convention: Literal["flink", "alink", "pai", "farm"] | None = Field(
        None,
        description=(
            "a1, a2 and b, as far as they are not given, by the defaults of another implementation"
        ),
    )
    a1: float = Field(0.0, ge=0)
    a2: float = Field(1.0, ge=0)
    b: float = Field(0.5)
    max_users_per_item: int | None = Field(
        None,
        ge=2,
        description="users that an item's own row sums over; hot items stay whole as neighbours",
    )
    max_items_per_user: int | None = Field(
        1000, ge=2, description="items of a user's list; both caps keep the lowest seeded hashes"
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_convention(cls, values: Any) -> Any:
        """Put the convention's numbers below those that are given."""
        if not isinstance(values, dict):
            return values
        return {**CONVENTIONS.get(str(values.get("convention")), {}), **values}


class Bm25Config(Section):
    """Backbone bm25, named and preset as `BM25Recommender` of the package implicit."""

    k1: float = Field(1.2, ge=0, description="saturation of a click's weight")
    b: float = Field(
        0.75, ge=0, le=1, description="how much a popular item takes from each of its clicks"
    )


class TransitionsConfig(Section):
    """Backbone transitions."""

    window: int = Field(10, ge=1, description="how many clicks ahead is looked")


class I2iConfig(Section):
    """The backbone that turns interactions into item similarities."""

    backbone: Literal["swing", "item_knn", "bm25", "transitions"] = "swing"
    engine: Literal["block", "reference"] = Field(
        "block", description="reference: Swing alone, as graph algebra, for small logs"
    )
    swing: SwingConfig = SwingConfig()
    item_knn: Section = Section()
    bm25: Bm25Config = Bm25Config()
    transitions: TransitionsConfig = TransitionsConfig()
    top_k: int = Field(
        400,
        ge=1,
        description="neighbours kept an item before the index re-ranks them; at least index.size",
    )
    partitioning: Literal["balanced", "community"] = Field(
        "balanced", description="which items share a block; community: those clicked together"
    )
    blocks: int | None = Field(
        None, ge=1, le=65_000, description="item blocks; None: chosen from the degrees"
    )
    block_bytes: int = Field(
        128 * 2**20,
        ge=2**10,
        description="lists that a block may hold; a worker needs some times as much",
    )
    incremental: bool = Field(
        True,
        description=(
            "compute only rows that new clicks can have changed, where the last result allows it"
        ),
    )
