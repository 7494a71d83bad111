"""The co-occurrence engine: what backbones share that sum over the users of two items."""
