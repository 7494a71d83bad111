"""An item as a prompt shows it."""

from __future__ import annotations

from typing import NamedTuple


class Item(NamedTuple):
    """One item of the catalogue.

    Attributes:
        item_id: id, byte for byte as in the catalogue.
        text: title, brand and category in one string; not yet cleaned.
    """

    item_id: str
    text: str

    @property
    def has_text(self) -> bool:
        """Whether the text says more than the id, which stands for one that is missing."""
        return self.text not in ("", self.item_id)
