"""The fuse stage: real interactions and scored ones in, one table of weighted interactions a
variant out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import DataFrame

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.run_record import Run, Stage
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.fuse.transform import (
    confident_rows,
    credible_real_rows,
    generator_confidence,
    real_rows,
    score_confidence,
    soft_rows,
    yes_rows,
)
from llm_i2i_spark.lake.tables import Lake

YES = 0.5
"""The p_yes from which the discriminator's answer is Yes."""


def execute(lake: Lake, config: Config, run: Run) -> None:
    """Write `fused` for every variant of the run.

    Raises:
        UserError: no interaction lies in the folds that models may see.
    """
    real = real_rows(lake.read("interactions", run.inputs["interactions"]), config.model_folds)
    if real.isEmpty():
        raise UserError(
            "No interaction is left for the models after the split; use split.holdout=none for so"
            " small a log."
        )
    tables = {
        name: lake.read(name, version)
        for name, version in run.inputs.items()
        if name != "interactions"
    }
    rows = [
        _rows_of(variant, real, tables, config).selectExpr(f"'{variant}' AS variant", "*")
        for variant in run.variants
    ]
    lake.write(
        reduce(DataFrame.unionByName, rows),
        run.record(config, "fused", variants=list(run.variants)),
    )


def _rows_of(
    variant: str, real: DataFrame, tables: Mapping[str, DataFrame], config: Config
) -> DataFrame:
    """The rows of one variant: `real` alone, the method `llm_i2i`, or the method without one of its
    parts.
    """
    settings = config.fuse
    if variant == "real":
        return real
    scored = tables["scored"]
    if variant == "no_generator":
        return credible_real_rows(real, scored, max(settings.drop_real_below, YES))
    kept = credible_real_rows(real, scored, settings.drop_real_below)
    if variant == "no_discriminator":
        return kept.unionByName(
            soft_rows(
                generator_confidence(tables["candidates"]),
                settings.soft_weight_scale,
                settings.min_weight,
            )
        )
    if variant == "no_threshold":
        return kept.unionByName(yes_rows(scored))
    if settings.mode == "threshold":
        return kept.unionByName(confident_rows(score_confidence(scored), settings.threshold))
    return kept.unionByName(
        soft_rows(score_confidence(scored), settings.soft_weight_scale, settings.min_weight)
    )


def _needs(config: Config, variants: tuple[str, ...]) -> tuple[str, ...]:
    if set(variants) <= {"real"}:
        return ("interactions",)
    return (
        ("interactions", "scored", "candidates")
        if "no_discriminator" in variants
        else ("interactions", "scored")
    )


STAGE = Stage(
    name="fuse",
    needs=_needs,
    writes=("fused",),
    settings=("fuse", "split.protocol", "split.holdout"),
    execute=execute,
)
