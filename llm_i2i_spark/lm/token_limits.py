"""Numbers that decide how many tokens a model reads; without torch, for who only counts them."""

from __future__ import annotations

ATOMIC_LIMIT = 200_000
"""Items up to which `sft.item_tokens=auto` gives each a token of its own."""
CODE_LENGTH = 4
CODE_SIZE = 256
BEAMS_PER_PROPOSAL = 2
TREE_TOKENS = 1024
"""Tokens of a tree at most, since attention is quadratic in them."""


def are_atomic(item_tokens: str, items: int) -> bool:
    """Whether each of so many items has a token of its own, by setting `sft.item_tokens`."""
    return item_tokens == "atomic" or (item_tokens == "auto" and items <= ATOMIC_LIMIT)
