"""What the report says of blends: their mixtures, and how their combiners learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_i2i_spark.evaluate.report.making import Combining
from llm_i2i_spark.evaluate.report.mixtures import (
    Mixture,
    mixture_sentence,
    position_of,
    reason_of,
)


def blend_context(
    mixtures: Mapping[str, Mixture], combining: Mapping[str, Combining]
) -> dict[str, Any]:
    """What the template shows of blends, by name; no plot where there is nothing to draw.

    Args:
        mixtures: by what people read for the system.
        combining: likewise.
    """
    from llm_i2i_spark.evaluate.report.plots import plot_mixtures, plot_training

    curves = {}
    for title, found in combining.items():
        own = f" · {title}" if len(combining) > 1 else ""
        curves[f"users it learns from{own}"] = found.losses
        curves[f"other users{own}"] = found.held_out_losses
    known = {title: curve for title, curve in curves.items() if curve}
    title = "Loss over the epochs of the combiner"
    return {
        "mixtures": {title: mixture_sentence(one) for title, one in mixtures.items()},
        "components": _components(mixtures),
        "mixture_plot": plot_mixtures(mixtures) if mixtures else None,
        "combining": combining,
        "combining_plot": plot_training(known, title) if known else None,
    }


def _components(mixtures: Mapping[str, Mixture]) -> dict[str, int]:
    """The components of some mixtures in the words of the report, with their colours."""
    names = dict.fromkeys(name for mixture in mixtures.values() for name in mixture.weights)
    return {reason_of(name): position_of(name) for name in names}
