"""Stage embed: vectors of the items, for the backbones that learn them from interactions."""
