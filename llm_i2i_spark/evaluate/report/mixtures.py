"""What the lists of a blend are made of, in words and colours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from llm_i2i_spark.evaluate.systems import System


class ComponentWords(NamedTuple):
    """How the report calls a component.

    Attributes:
        reason: for a neighbour to stand in a list.
        family: what kind of knowledge it is.
        position: of its colour.
    """

    reason: str
    family: str
    position: int


_CLICKS, _TEXT = "what users click one after the other", "similar texts"
_MODELS = "what language models propose"
WORDS: Mapping[str, ComponentWords] = {
    "em_transitions": ComponentWords("clicked next", _CLICKS, 1),
    "reverse": ComponentWords("clicked before", _CLICKS, 7),
    "two_hops": ComponentWords("two clicks on", _CLICKS, 5),
    "text": ComponentWords("similar text", _TEXT, 2),
    "popular_text": ComponentWords("similar and often clicked", _TEXT, 4),
    "brand": ComponentWords("same brand", "the brand", 3),
    "popular": ComponentWords("often clicked", "what is clicked most", 0),
    "attribution": ComponentWords("proposed by the models", _MODELS, 6),
    "generated": ComponentWords("proposed after this item alone", _MODELS, 8),
}
"""Of every component, in the order in which they are drawn."""
LEADING = 2
"""Kinds of knowledge that a sentence names for items of so many clicks."""
LEAST_SHOWN = 0.01
"""Smaller shares of a similarity are no reason."""


@dataclass(frozen=True)
class Mixture:
    """The weights of a blend.

    Attributes:
        system: whose.
        least_clicks: of the items of each bucket, ascending from 0.
        weights: by component, in the order of `WORDS`: one for each bucket.
    """

    system: System
    least_clicks: tuple[int, ...]
    weights: Mapping[str, tuple[float, ...]]

    @classmethod
    def of_rows(cls, system: System, rows: Iterable[tuple[int, str, float]]) -> Mixture:
        """From `least_clicks, component, weight` of the table `mixtures`."""
        found = {(least, component): weight for least, component, weight in rows}
        bounds = tuple(sorted({least for least, _ in found}))
        known = list(WORDS)
        components = sorted(
            {component for _, component in found},
            key=lambda name: (known.index(name) if name in known else len(known), name),
        )
        weights = {
            name: tuple(found.get((least, name), 0.0) for least in bounds) for name in components
        }
        return cls(system, bounds, weights)

    def labels(self) -> list[str]:
        """The clicks of the items of each bucket: `0–1`, …, `25+`."""
        bounds = self.least_clicks
        ends = [
            f"{first}" if following == first + 1 else f"{first}–{following - 1}"
            for first, following in pairwise(bounds)
        ]
        return [*ends, f"{bounds[-1]}+"]

    def families(self, bucket: int) -> list[tuple[str, float]]:
        """The kinds of knowledge by their weight in a bucket, the heaviest first."""
        total: dict[str, float] = defaultdict(float)
        for component, weights in self.weights.items():
            total[family_of(component)] += weights[bucket]
        return sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))


def reason_of(component: str) -> str:
    """The words for a component as a reason; those that nobody foresaw have their own name."""
    return WORDS[component].reason if component in WORDS else component


def family_of(component: str) -> str:
    """The kind of knowledge that a component is."""
    return WORDS[component].family if component in WORDS else component


def position_of(component: str) -> int:
    """The position of a component's colour."""
    return WORDS[component].position if component in WORDS else 0


def mixture_sentence(mixture: Mixture) -> str:
    """What rare and frequent items lean on, from the weights."""
    last, first_bound = len(mixture.least_clicks) - 1, mixture.least_clicks[-1]
    if not last:
        return f"Its items lean on {_leading(mixture, 0)}."
    rare = mixture.labels()[0]
    sentence = (
        f"Rare items ({rare} clicks) lean on {_leading(mixture, 0)}, frequent ones"
        f" ({first_bound} clicks and more) on {_leading(mixture, last)}."
    )
    if any(family_of(component) == _MODELS for component in mixture.weights):
        rarest, most = (dict(mixture.families(bucket))[_MODELS] for bucket in (0, last))
        sentence += (
            f" What language models propose counts {_percent(rarest)} for the rare and"
            f" {_percent(most)} for the frequent ones."
        )
    return sentence


def _leading(mixture: Mixture, bucket: int) -> str:
    named = [one for one in mixture.families(bucket) if one[1] > 0][:LEADING]
    return " and ".join(f"{family} ({_percent(weight)})" for family, weight in named) or "nothing"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\u202f%"


def reasons_text(components: Iterable[tuple[str, float]]) -> str:
    """The components of a similarity as a reason: `similar text 61 %, same brand 20 %`."""
    return "\u00a0· ".join(
        f"{reason_of(component)}\u00a0{_percent(share)}"
        for component, share in components
        if share >= LEAST_SHOWN
    )
