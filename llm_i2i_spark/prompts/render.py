"""Writing items and prompts as text: titles made harmless, and a chat template split around the
place of the items.

A title is data. Whatever it says, it must not be able to close the user's turn or open the model's.
Two walls keep it so: the brackets that every chat marker is made of are replaced here, and the
tokenizer is told to read titles without special tokens.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

from llm_i2i_spark.prompts.templates import Template

MAX_TEXT_CHARS = 200
_KEPT_FORMAT_CHARACTERS = "\u200c\u200d"  # the joiners inside Persian words and emoji
_BRACKETS = str.maketrans({"<": "(", ">": ")", "[": "(", "]": ")", "{": "(", "}": ")"})
_PLACE_OF_ITEMS = "(items stand here)"

ChatTemplate = Callable[[Sequence[dict[str, str]]], str]
"""Turns chat messages into the text of a prompt that ends where the model's answer begins."""


def clean_text(text: str, max_chars: int = MAX_TEXT_CHARS) -> str:
    """An item's text as a prompt may show it: one line, no control characters, no chat markers, of
    bounded length.

    Control, format (but for joiners), private and unassigned characters and lone surrogates become
    spaces, angle, square and curly brackets become round ones (so `<|im_end|>`, `</s>`, `[INST]`
    are words like any other), runs of white space become one space.

    Args:
        text: any string, of any length: only its first 4 * max_chars characters are looked at.
        max_chars: longer results are cut, the last character being an ellipsis.
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
    """One item written by a template's pattern, its text cleaned; an item without text is called
    `item`.
    """
    return pattern.replace("{text}", clean_text(text) or "item") + " "


def split_chat(template: Template, chat: ChatTemplate | None) -> tuple[str, str]:
    """The text before the first item and the text after the last one, with the model's own chat
    markers around them.

    Args:
        template: the wording.
        chat: the model's chat template; None for a base model without one, which reads the bare
            wording.

    Returns:
        (before, after): the prompt is before + items (+ candidate) + after.
    """
    if chat is None:
        return template.before, template.after + "\nAnswer:"
    content = template.before + _PLACE_OF_ITEMS + template.after
    rendered = chat([{"role": "user", "content": content}])
    before, _, after = rendered.partition(_PLACE_OF_ITEMS)
    return before, after
