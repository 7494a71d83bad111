"""All systems of a lake, evaluated together and compared."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.variants import SERVED
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.evaluate.compare import Comparison
from llm_i2i_spark.evaluate.evaluate_systems import Tables, evaluate_systems
from llm_i2i_spark.evaluate.settings import settings_of
from llm_i2i_spark.evaluate.summary_table import summary_metrics
from llm_i2i_spark.lake.materialize import materialized
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.pipeline.planner import systems_in


def _systems(lake: Lake) -> list[tuple[str, str]]:
    """The systems of the index: by its commits, or by its rows where version 0.1 wrote it."""
    recorded = [(one.name, backbone) for one, backbone in systems_in(lake.history("item_index"))]
    if recorded:
        return recorded
    rows = lake.read("item_index").select("variant", "backbone").distinct().collect()
    return sorted((row["variant"], row["backbone"]) for row in rows)


def compare_systems_of(
    lake: Lake,
    config: Config,
    variants: Sequence[str] | None = None,
    backbones: Sequence[str] | None = None,
    baseline: tuple[str, ...] | None = None,
) -> Comparison:
    """Evaluate the systems that a lake holds on the same users; nothing is written.

    Args:
        lake: the tables.
        config: the evaluation's settings.
        variants: those to compare; None for all.
        backbones: those to compare; None for all.
        baseline: (variant, backbone); None for `real`.

    Raises:
        UserError: the lake holds none of these, or nothing is held out.
    """
    settings = settings_of(config)
    settings = replace(settings, metrics=tuple(summary_metrics(settings.metrics)))
    systems = evaluated_systems(lake, variants, backbones)
    index, interactions, items, item_stats = map(
        lake.read, ("item_index", "interactions", "items", "item_stats")
    )
    with ExitStack() as stack:
        evaluation = evaluate_systems(
            Tables(index, interactions, items, item_stats),
            systems,
            settings,
            lambda frame, title: stack.enter_context(materialized(lake, frame, title)),
        )
    return evaluation.compare(baseline_pair(baseline, systems))


def evaluated_systems(
    lake: Lake, variants: Sequence[str] | None = None, backbones: Sequence[str] | None = None
) -> list[tuple[str, str]]:
    """The (variant, backbone) pairs whose index has not seen what is held out, by backbone.

    Args:
        lake: the tables.
        variants: those that are wanted; None for all.
        backbones: those that are wanted; None for all.

    Raises:
        UserError: the lake holds none of these.
    """
    present = [
        (variant, backbone) for variant, backbone in _systems(lake) if not variant.endswith(SERVED)
    ]
    systems = [
        (variant, backbone)
        for variant, backbone in sorted(present, key=lambda system: system[1])
        if (variants is None or variant in variants)
        and (backbones is None or backbone in backbones)
    ]
    if not systems:
        there = ", ".join(f"{variant} on {backbone}" for variant, backbone in present) or "nothing"
        raise UserError(
            f"The lake holds no evaluated index of these variants and backbones; it holds {there}."
        )
    return systems


def baseline_pair(
    baseline: tuple[str, ...] | None, systems: Sequence[tuple[str, str]]
) -> tuple[str, str] | None:
    """A baseline with its backbone, that of the first system where none is named."""
    if not baseline:
        return None
    return baseline[0], baseline[1] if len(baseline) > 1 else systems[0][1]
