"""What both engines must agree on beyond the formula: how an edge is written, how a user is
weighed, how a sum is rounded.
"""

from __future__ import annotations

SYNTHETIC = 1
"""Bit of an edge: a model proposed it."""

CAPPED = 2
"""Bit of an edge: the item has too many users, and this one is not among those that its row is
summed over.
"""

ITEM_SHIFT = 2
"""An edge is one int32: the item's number above its two bits, so 2^29 items can be told apart."""

PLACE_SHIFT = 1
"""Before items have numbers, a row is its item's place in the dictionary of a chunk above the bit
SYNTHETIC.
"""

NO_BLOCK = 2**16 - 1
"""In place of a block's number: the item's row is not wanted."""

NO_LIMIT = 2**64 - 1
"""In place of a lottery's limit: the item has no more users than its cap."""

ROUNDING = 2.0**11 + 1.0
"""Dekker's splitting constant: x * ROUNDING - (x * ROUNDING - x) leaves 42 of a double's 53
significant bits.
"""
