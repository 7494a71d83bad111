"""Items and prompts as text: item titles that cannot break a prompt, and a model's chat template
split around the items.

A title is untrusted data: whatever it says, it must not close the user's turn or open the model's.
Two safeguards see to that: here the brackets that every chat marker is made of are replaced, and
the encoder tokenizes titles with special tokens switched off.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

from llm_i2i_spark.prompts.templates import Template

MAX_TEXT_CHARS = 200
_KEPT_FORMAT_CHARACTERS = "\u200c\u200d"  # the joiners inside Persian words and emoji
_BRACKETS = str.maketrans({"<": "(", ">": ")", "[": "(", "]": ")", "{": "(", "}": ")"})
_ITEMS_PLACEHOLDER = "(items stand here)"

ChatTemplate = Callable[[Sequence[dict[str, str]]], str]
"""Turns chat messages into the text of a prompt that ends where the model's answer begins."""


def clean_text(text: str, max_chars: int = MAX_TEXT_CHARS) -> str:
    """An item's text made safe for a prompt: one line of bounded length, without control characters
    or chat markers.

    Control, format (but for joiners), private and unassigned characters and lone surrogates become
    spaces; angle, square and curly brackets become round ones, so that `<|im_end|>`, `</s>` and
    `[INST]` are ordinary words; runs of white space become one space.

    Args:
        text: any string of any length; only its first 4 * max_chars characters are read.
        max_chars: maximum length of the result in characters; a longer one is cut and ends with an
            ellipsis.
    """
    head = unicodedata.normalize(
        "NFC", "".join(_visible(character) for character in text[: 4 * max_chars])
    )
    line = " ".join(head.translate(_BRACKETS).split())
    return line if len(line) <= max_chars else line[: max_chars - 1].rstrip() + "…"


def _visible(character: str) -> str:
    if character in _KEPT_FORMAT_CHARACTERS:
        return character
    return " " if unicodedata.category(character).startswith("C") else character


def render_item(pattern: str, text: str) -> str:
    """One item in a template's pattern, its text cleaned; an item without text is called `item`."""
    return pattern.replace("{text}", clean_text(text) or "item") + " "


def split_chat(template: Template, chat: ChatTemplate | None) -> tuple[str, str]:
    """Text before the first item and text after the last one, inside the model's chat markers.

    Args:
        template: wording of the prompt.
        chat: chat template of the model; None for a base model without one, which reads the bare
            wording.

    Returns:
        (before, after): the prompt is before + items (+ candidate) + after.
    """
    if chat is None:
        return template.before, template.after + "\nAnswer:"
    content = template.before + _ITEMS_PLACEHOLDER + template.after
    rendered = chat([{"role": "user", "content": content}])
    before, _, after = rendered.partition(_ITEMS_PLACEHOLDER)
    return before, after
