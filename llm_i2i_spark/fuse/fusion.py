"""The fusion rules: which real and which synthetic interactions a variant is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyspark.sql import DataFrame

from llm_i2i_spark.base.sections.fuse import FuseConfig
from llm_i2i_spark.base.variants import Fusion
from llm_i2i_spark.fuse.transform import (
    as_typical,
    confident_rows,
    credible_real_rows,
    generator_confidence,
    score_confidence,
    soft_rows,
    yes_rows,
)

YES = 0.5
"""The p_yes from which the discriminator's answer is Yes."""


def fuse_rows(
    rule: Fusion,
    real: DataFrame,
    models: Mapping[str, DataFrame],
    settings: FuseConfig,
    typical: float = 1.0,
) -> DataFrame:
    """The interactions of one variant: columns of the table `fused` but for `variant`.

    Args:
        rule: of the variant.
        real: from `transform.real_rows`.
        models: the tables that the rule reads (`scored`, `candidates`), of the variant's branch.
        settings: weights and thresholds.
        typical: mean weight of the real rows.
    """
    if not rule.reads:
        return real
    least = settings.drop_real_below if rule.real == "all" else max(settings.drop_real_below, YES)
    kept = credible_real_rows(real, models["scored"], least)
    if rule.synthetic == "none":
        return kept
    return kept.unionByName(as_typical(SYNTHETIC_ROWS[rule.synthetic](models, settings), typical))


def _by_confidence(models: Mapping[str, DataFrame], settings: FuseConfig) -> DataFrame:
    pairs = score_confidence(models["scored"])
    if settings.mode == "threshold":
        return confident_rows(pairs, settings.threshold)
    return soft_rows(pairs, settings.soft_weight_scale, settings.min_weight)


def _by_generator(models: Mapping[str, DataFrame], settings: FuseConfig) -> DataFrame:
    pairs = generator_confidence(models["candidates"])
    return soft_rows(pairs, settings.soft_weight_scale, settings.min_weight)


def _by_label(models: Mapping[str, DataFrame], settings: FuseConfig) -> DataFrame:
    return yes_rows(models["scored"])


SYNTHETIC_ROWS: Mapping[str, Callable[[Mapping[str, DataFrame], FuseConfig], DataFrame]] = {
    "confidence": _by_confidence,
    "generator": _by_generator,
    "yes": _by_label,
}
"""By `Fusion.synthetic`, what joins the real interactions."""
