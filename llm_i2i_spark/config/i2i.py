"""Section `i2i`: which backbone, what all backbones share, and one section of parameters each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model, field_validator, model_validator

from llm_i2i_spark.backbones import BACKBONES, find_backbone
from llm_i2i_spark.backbones.base import Backbone, EngineOptions
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.sections.section import Section, with_defaults

SHARED = ("max_users_per_item", "max_items_per_user", "top_k")
"""Parameters that a backbone takes from section `i2i`, unless its own section has them."""

if TYPE_CHECKING:

    class _Sections(Section):
        def __getattr__(self, name: str) -> Any: ...
else:
    _Sections = create_model(
        "_Sections",
        __base__=Section,
        **{backbone.name: (backbone, backbone()) for backbone in BACKBONES},
    )


class I2iConfig(_Sections, EngineOptions):
    """The backbone that turns interactions into item similarities.

    Attributes:
        swing, item_knn and so on: the parameters of each backbone, with the shared ones filled in.
    """

    backbone: str = Field("swing", description="a name of `backbones.BACKBONES`")
    max_users_per_item: int | None = Field(
        None,
        ge=2,
        description="users that an item's own row sums over; hot items stay whole as neighbours",
    )
    max_items_per_user: int | None = Field(
        1000, ge=2, description="items of a user; both caps keep the lowest seeded hashes"
    )
    top_k: int = Field(
        400,
        ge=1,
        description="neighbours kept an item before the index re-ranks them; at least index.size",
    )

    @field_validator("backbone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            return find_backbone(name).name
        except UserError as error:
            raise ValueError(str(error).rstrip(".")) from None

    @model_validator(mode="after")
    def _share(self) -> I2iConfig:
        """Fill in what a backbone's own section does not give."""
        shared = {name: getattr(self, name) for name in SHARED}
        for backbone in BACKBONES:
            section = self.parameters(backbone.name)
            inherited = {
                name: value
                for name, value in shared.items()
                if name in backbone.model_fields and name not in section.model_fields_set
            }
            object.__setattr__(self, backbone.name, with_defaults(section, inherited))
        return self

    def parameters(self, backbone: str) -> Backbone:
        """A backbone with its parameters.

        Args:
            backbone: its name.

        Raises:
            UserError: there is none of this name.
        """
        found: Backbone = getattr(self, find_backbone(backbone).name)
        return found

    def with_top_k(self, least: int) -> I2iConfig:
        """A copy in which every backbone keeps so many neighbours an item at least."""
        longer = {"top_k": max(self.top_k, least)}
        sections = {
            backbone.name: with_defaults(section, {"top_k": max(section.top_k, least)})
            for backbone in BACKBONES
            if hasattr(section := self.parameters(backbone.name), "top_k")
        }
        return with_defaults(self, {**longer, **sections})
