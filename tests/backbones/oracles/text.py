"""Nearest neighbours by text, straight from the definition, in whole numbers."""

from __future__ import annotations

from collections.abc import Mapping

from llm_i2i_spark.backbones import Text
from tests.backbones.plain_log import Log, Similarities


def similarities(log: Log, backbone: Text, features: Mapping[str, list[float]]) -> Similarities:
    rows = {item: whole_numbers(row) for item, row in features.items() if any(row)}
    found: Similarities = {}
    for i, own in rows.items():
        for j, other in rows.items():
            product = sum(a * b for a, b in zip(own, other, strict=True))
            cosine = min(product / length(len(own)) ** 2, 1.0)
            if i != j and cosine > backbone.least_similarity:
                found[i, j] = (cosine**backbone.exponent, None, 0.0)
    return found


def length(dims: int) -> int:
    return int(4096 - dims**0.5 / 2)


def whole_numbers(row: list[float]) -> list[int]:
    norm = sum(value * value for value in row) ** 0.5
    return [round(value / norm * length(len(row))) for value in row]
