"""The wording of the two prompts of layout `instruct`, and a digest that tells one wording from
another.

A template is three pieces around the items: what stands before the history, how one item reads, and
what stands after. The pieces are joined with a model's own chat template by `render.split_chat`;
item text never passes through that template.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

Layout = Literal["instruct", "sequence"]
Role = Literal["generator", "discriminator"]


@dataclass(frozen=True)
class Template:
    """The pieces of one prompt, in the order in which a model reads them.

    Attributes:
        before: the task, before the first item of the history.
        item: one item of the history; `{text}` is its cleaned text, the item's own tokens follow
            directly.
        candidate: the item asked about (discriminator only), written like `item`.
        after: the question, after the last item.
    """

    before: str
    item: str
    candidate: str
    after: str

    @property
    def digest(self) -> str:
        """Hex sha256 of the wording."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


GENERATOR = Template(
    before=(
        "You know what the customers of an online shop buy. A customer bought these items, oldest"
        " first:"
    ),
    item="\n- {text}",
    candidate="",
    after="\nWhich item of the shop will this customer buy next? Answer with the item alone.",
)

DISCRIMINATOR = Template(
    before=(
        "You judge whether a customer of an online shop will buy an item. The customer bought these"
        " items, oldest first:"
    ),
    item="\n- {text}",
    candidate="\nThe item in question:\n- {text}",
    after="\nWill this customer buy the item in question next? Answer Yes or No.",
)

SEQUENCE = Template(before="<begin>", item="", candidate="", after="<question>")
"""Layout `sequence` has no words: item tokens between two marks. The digest names that reading too.
"""


def prompt_digest(layout: Layout, role: Role) -> str:
    """The digest of what a model of this role reads in this layout."""
    if layout == "sequence":
        return SEQUENCE.digest
    return (GENERATOR if role == "generator" else DISCRIMINATOR).digest
