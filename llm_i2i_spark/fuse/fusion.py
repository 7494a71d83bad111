"""The fusion rules: which real and which synthetic interactions a variant is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.sections.fuse import FuseConfig
from llm_i2i_spark.base.variants import Fusion
from llm_i2i_spark.fuse.transform import (
    as_typical,
    best_rows_of_users,
    confident_rows,
    credible_real_rows,
    generator_confidence,
    retrieved_confidence,
    rows_in_band,
    scale_of_mass,
    score_confidence,
    soft_rows,
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
        models: the tables that the rule reads (`scored`, `candidates`, `retrieved`), of the
            variant's branch.
        settings: weights and thresholds.
        typical: mean weight of the real rows.
    """
    if not rule.reads:
        return real
    kept = real
    if "scored" in rule.reads:
        above = settings.drop_real_below
        least = above if rule.real == "all" else max(above, YES)
        kept = credible_real_rows(real, models["scored"], least)
    if rule.synthetic == "none":
        return kept
    pairs = SYNTHETIC_PAIRS[rule.synthetic](models)
    # What no discriminator has judged, such as the generator's proposals alone, has no p_yes.
    by = settings.score if settings.score in pairs.columns else "confidence"
    pairs = rows_in_band(pairs, settings.band, by)
    pairs = best_rows_of_users(pairs, settings.per_user, by)
    if rule.synthetic == "yes":
        synthetic = confident_rows(pairs, 0.0)
    elif settings.mode == "threshold" and rule.synthetic == "confidence":
        synthetic = confident_rows(pairs, settings.threshold, by)
    else:
        scale = settings.soft_weight_scale
        if scale == "auto":
            mass = settings.synthetic_mass * kept.count()
            scale = scale_of_mass(pairs, mass, by)
            log_message(f"  a {by} of {scale:.3g} or more weighs as much as a real interaction")
        synthetic = soft_rows(pairs, scale, settings.min_weight, by)
    return kept.unionByName(as_typical(synthetic, typical))


SYNTHETIC_PAIRS: Mapping[str, Callable[[Mapping[str, DataFrame]], DataFrame]] = {
    "confidence": lambda models: score_confidence(models["scored"]),
    "generator": lambda models: generator_confidence(models["candidates"]),
    "retrieved": lambda models: retrieved_confidence(models["retrieved"]),
    "yes": lambda models: score_confidence(models["scored"].where(F.col("decision"))),
}
"""By `Fusion.synthetic`, which candidates join the real interactions, with their confidence."""
