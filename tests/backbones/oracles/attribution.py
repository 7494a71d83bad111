"""Attribution, straight from the definition."""

from __future__ import annotations

from collections import Counter

from llm_i2i_spark.backbones import Attribution
from tests.backbones.plain_log import Log, Similarities

UNIT = 2.0**-40  # what is proposed is counted in such units


def similarities(log: Log, backbone: Attribution) -> Similarities:
    mass, support = Counter(), Counter()
    for own in log.uncapped.values():
        clicks = sorted((item for item in own if own[item].real), key=lambda i: own[i].position)
        clicks = clicks[-backbone.history :]
        ages = reversed(range(len(clicks)))
        weights = [own[i].weight * backbone.decay**age for i, age in zip(clicks, ages, strict=True)]
        for i, weight in zip(clicks, weights, strict=True):
            for j, proposal in own.items():
                if not proposal.real:
                    said = proposal.weight if proposal.confidence is None else proposal.confidence
                    part = weight / sum(weights) * said**backbone.confidence_exponent
                    mass[i, j] += round(part / UNIT)
                    support[i, j] += 1
    total = Counter()
    for (i, _), units in mass.items():
        total[i] += units
    return {
        pair: (units / total[pair[0]], support[pair], 1.0) for pair, units in mass.items() if units
    }
