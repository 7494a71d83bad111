"""Backbones that learn a vector for every item: what they learn from, how, and where."""
