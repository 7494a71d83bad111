"""Wording of the prompts of layout `instruct`, and a digest that identifies each wording.

A template is the text around the items: before the history, around one item, and after it.
`render.split_chat` puts it inside a model's chat template; item texts never pass through that.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from llm_i2i_spark.base.json_digest import json_digest
from llm_i2i_spark.base.sections.export import Layout


@dataclass(frozen=True)
class Template:
    """The parts of one prompt, in the order in which a model reads them.

    Attributes:
        before: the task, before the first item of the history.
        item: pattern of one item of the history; `{text}` is its cleaned text, and the item's own
            tokens follow directly.
        candidate: pattern of the item that is scored, written like `item`; empty where the prompt
            has none.
        after: the question, after the last item.
    """

    before: str
    item: str
    candidate: str
    after: str

    @property
    def digest(self) -> str:
        """Hex sha256 of the wording."""
        return json_digest(asdict(self))


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
"""Stands for layout `sequence`, which has no words but item tokens alone, so that its rows carry a
prompt digest too.
"""


def prompt_digest(layout: Layout, template: Template) -> str:
    """Digest of what a model with this template reads in this layout: hex sha256."""
    return (SEQUENCE if layout == "sequence" else template).digest
