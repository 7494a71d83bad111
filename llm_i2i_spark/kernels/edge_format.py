"""Constants that the compiled kernels and the SQL of the reference engine share: how an edge is
encoded, and how a sum is rounded.
"""

from __future__ import annotations

SYNTHETIC = 1
"""Bit of an edge: a model proposed the interaction."""

CAPPED = 2
"""Bit of an edge: hash sampling left this user out of the users that the item's row sums over."""

WEIGHTED = 4
"""Bit of an edge: its weight stands beside the edges; every other edge weighs 1. An edge that a
model proposed always carries it, so that edges of the bit SYNTHETIC are never all without weights.
"""

ITEM_SHIFT = 3
"""An edge is one uint32: the item index above its three bits, so there are at most 2^29 items.
Before items have an index, it is the position in the batch's dictionary.
"""

ITEM_BITS = SYNTHETIC | CAPPED | WEIGHTED
"""All that stands below the item."""

NO_BLOCK = 2**16 - 1
"""Block of an item whose row is not computed."""

NO_CAP = 2**31 - 1
"""In place of a cap: all users of an item, or all items of a user, are kept."""

NO_THRESHOLD = 2**64 - 1
"""Threshold of an item that has no more users than its cap: every sampling hash passes."""

ROUNDING = 2.0**11 + 1.0
"""Dekker's splitting constant: x * ROUNDING - (x * ROUNDING - x) keeps 42 of a double's 53
significant bits.
"""
