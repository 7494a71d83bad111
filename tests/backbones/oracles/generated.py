"""The generator's own lists, straight from the definition."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp

from llm_i2i_spark.backbones import Generated
from tests.backbones.plain_log import Log, Similarities


def similarities(
    log: Log, backbone: Generated, proposals: Mapping[str, Mapping[str, float]]
) -> Similarities:
    found: Similarities = {}
    for i, of_item in proposals.items():
        best = sorted(of_item, key=lambda j: (-of_item[j], len(j), j))[: backbone.top_k]
        values = {j: exp(backbone.exponent * of_item[j]) for j in best}
        for j in best:
            found[i, j] = (values[j] / sum(values.values()), None, 1.0)
    return found
