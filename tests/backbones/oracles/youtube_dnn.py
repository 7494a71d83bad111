"""Nearest neighbours by item embeddings, as of every backbone that learns them."""

from __future__ import annotations

from tests.backbones.oracles.bpr import similarities

__all__ = ["similarities"]
