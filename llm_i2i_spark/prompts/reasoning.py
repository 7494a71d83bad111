"""The reasoning of an in-context example in words, from what the catalogue says of two items."""

from __future__ import annotations

from llm_i2i_spark.prompts.render import clean_text

SEPARATOR = " | "
"""Between the parts of an item's text: title, brand, category."""
MAX_TITLE_CHARS = 80


def explain_step(reason: str, target: str) -> str:
    """Why a user may have taken an item: the earlier item that stands behind it, and what the texts
    of the two have in common.

    Args:
        reason: text of the earlier item, `title | brand | category`.
        target: text of the item that was taken.

    Examples:
        >>> explain_step("Red lipstick | Acme | Lips", "Lip liner | Acme | Lips")
        'Lip liner follows from Red lipstick: the same Acme, Lips.'
        >>> explain_step("Red lipstick | Acme", "Hair brush")
        'Hair brush follows from Red lipstick.'
    """
    (title, *parts), (taken, *others) = reason.split(SEPARATOR), target.split(SEPARATOR)
    shared = [clean_text(part) for part in others if part in parts]
    titles = (clean_text(one, MAX_TITLE_CHARS) or "item" for one in (taken, title))
    same = f": the same {', '.join(shared)}" if shared else ""
    return "{} follows from {}".format(*titles) + f"{same}."
