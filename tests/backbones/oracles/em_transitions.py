"""EM transitions, straight from the definition."""

from __future__ import annotations

from collections import Counter

from llm_i2i_spark.backbones import EmTransitions, Swing
from tests.backbones.oracles import swing
from tests.backbones.plain_log import Log, Similarities, item_order

UNIT = 2.0**-32  # responsibilities are counted in such units


def similarities(log: Log, backbone: EmTransitions) -> Similarities:
    prior, behind = scaled_prior(log, backbone)
    events = histories(log, backbone)
    mass = divide(events, lambda i, j: 1.0)
    for _ in range(backbone.rounds):
        before = {pair: probability(pair, mass, prior, backbone) for pair in mass}
        mass = divide(events, lambda i, j, before=before: before[i, j])
    support = Counter((i, j) for j, _, earlier in events for i, _ in earlier)
    found = {}
    for pair in mass.keys() | prior.keys():
        expected = backbone.prior_strength * prior.get(pair, 0.0)
        synthetic = expected * behind[pair][2] if pair in behind else 0.0
        whole = mass.get(pair, 0) * UNIT + expected
        found[pair] = (
            probability(pair, mass, prior, backbone),
            support[pair] or behind[pair][1],
            synthetic / whole,
        )
    return found


def scaled_prior(log: Log, backbone: EmTransitions):
    found = swing.similarities(log, Swing())
    best = sorted(found, key=lambda pair: (-float(f"{found[pair][0]:.9g}"), item_order(pair[1])))
    similar: Similarities = {}
    for i in {i for i, _ in best}:
        own = [pair for pair in best if pair[0] == i and found[pair][0] > 0]
        similar |= {pair: found[pair] for pair in own[: backbone.top_k]}
    scores = {
        (i, j): values[0] * max(log.clicks[j], 1) ** -backbone.prior_damping
        for (i, j), values in similar.items()
    }
    totals = Counter()
    for (i, _), score in scores.items():
        totals[i] += score
    return {(i, j): score / totals[i] for (i, j), score in scores.items()}, similar


def histories(log: Log, backbone: EmTransitions):
    """(item clicked, its weight, [(earlier item, share)]), of all clicks with one before them."""
    events = []
    for own in log.uncapped.values():
        clicks = clicks_in_order(own)
        for place in range(1, len(clicks)):
            earlier = clicks[max(0, place - backbone.history) : place]
            ages = reversed(range(len(earlier)))
            weights = [
                own[i].weight * backbone.decay**age for i, age in zip(earlier, ages, strict=True)
            ]
            shares = [weight / sum(weights) for weight in weights]
            j = clicks[place]
            events.append((j, own[j].weight, list(zip(earlier, shares, strict=True))))
    return events


def clicks_in_order(own):
    """A user's real items, the first click first."""
    return sorted((item for item in own if own[item].real), key=lambda i: own[i].position)


def divide(events, similarity):
    mass = Counter()
    for j, clicked, earlier in events:
        parts = {i: weight * similarity(i, j) for i, weight in earlier}
        for i, part in parts.items():
            mass[i, j] += round(part / sum(parts.values()) * clicked / UNIT)
    return mass


def probability(pair, mass, prior, backbone):
    total = sum(value for (i, _), value in mass.items() if i == pair[0]) * UNIT
    expected = backbone.prior_strength * prior.get(pair, 0.0)
    return (mass.get(pair, 0) * UNIT + expected) / (total + backbone.prior_strength)
