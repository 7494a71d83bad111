"""Nearest neighbours by item embeddings, straight from the definition, in whole numbers."""

from __future__ import annotations

from collections.abc import Mapping

from llm_i2i_spark.backbones.embedding.backbone import EmbeddingBackbone
from tests.backbones.oracles.text import length, whole_numbers
from tests.backbones.plain_log import Log, Similarities


def similarities(
    log: Log, backbone: EmbeddingBackbone, embeddings: Mapping[str, list[float]]
) -> Similarities:
    rows = {item: whole_numbers(row) for item, row in embeddings.items()}
    found: Similarities = {}
    for i, own in rows.items():
        for j, other in rows.items():
            product = sum(a * b for a, b in zip(own, other, strict=True))
            cosine = min(product / length(len(own)) ** 2, 1.0)
            if i != j and cosine > 0:
                found[i, j] = (cosine**backbone.exponent, None, None)
    return found
