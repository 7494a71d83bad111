"""An item as the models see it."""

from __future__ import annotations

from typing import NamedTuple


class Item(NamedTuple):
    """One item of the catalogue: its id, byte-exact, and the text that describes it (title, brand,
    category).
    """

    item_id: str
    text: str
