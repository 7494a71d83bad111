"""Stage encode: text features of the items, for the backbones that compare texts."""
