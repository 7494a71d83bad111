"""What a search maximises: a ranking metric over all held-out items or those of one slice."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.evaluate.slices import SLICES
from llm_i2i_spark.metrics import METRICS, RankingMetric

KINDS = {kind.name: kind for kind in METRICS if issubclass(kind, RankingMetric)}


@dataclass(frozen=True)
class Objective:
    """A metric in a slice; the more the better.

    Attributes:
        metric: with its length of list.
        part: one of `evaluate.slices.SLICES`.
    """

    metric: RankingMetric
    part: str = "all"

    @property
    def label(self) -> str:
        """As a person writes it: `recall@10`, `ndcg@10/long_tail`."""
        return self.metric.label if self.part == "all" else f"{self.metric.label}/{self.part}"

    def words(self, value: float) -> str:
        """A value as it is shown."""
        return format(value, self.metric.number_format)


def read_objective(text: str) -> Objective:
    """The objective that a person names.

    >>> read_objective("recall@10/long_tail")
    Objective(metric=Recall(10), part='long_tail')

    Args:
        text: a metric such as `ndcg@10`, and after a slash a slice of the items, all without one.

    Raises:
        ConfigError: there is no such metric or slice.
    """
    label, _, part = text.strip().partition("/")
    name, at, length = label.partition("@")
    if name not in KINDS:
        asked = f"{name} judges what is recommended at large" if _is_metric(name) else ""
        raise ConfigError(
            f"A search wants a metric of the ranking, {_forms()}, with a slice where it is wanted"
            f" (recall@10/long_tail); {asked or f'there is no {label!r}'}{_hint(name, KINDS)}."
        )
    if part and part not in SLICES:
        raise ConfigError(
            f"There is no slice {part!r} of the items{_hint(part, SLICES)}; choose one of"
            f" {', '.join(SLICES)}."
        )
    kind = KINDS[name]
    if kind.takes_k != bool(at) or (at and not length.isdecimal()):
        raise ConfigError(f"Write the metric as {_form(kind)}, and not {label!r}.")
    return Objective(kind(int(length)) if at else kind(), part or "all")


def _is_metric(name: str) -> bool:
    return any(kind.name == name for kind in METRICS)


def _form(kind: type[RankingMetric]) -> str:
    return f"{kind.name}@10" if kind.takes_k else kind.name


def _forms() -> str:
    *first, last = map(_form, KINDS.values())
    return f"{', '.join(first)} or {last}"


def _hint(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
