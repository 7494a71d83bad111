"""What the two engines must agree on beyond the formula: the bits of an edge's mark, and how a similarity is rounded."""

from __future__ import annotations

SYNTHETIC = 1
"""Bit of an edge's mark: a model proposed the edge."""

CAPPED = 2
"""Bit of an edge's mark: the item has too many users, and this one is not among those that its row is summed over."""

ROUNDING = 2.0**11 + 1.0
"""Dekker's splitting constant: x * ROUNDING - (x * ROUNDING - x) leaves 42 of a double's 53 significant bits."""
