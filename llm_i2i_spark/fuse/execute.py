"""Stage fuse: real and scored interactions in, one weighted interaction log a variant out."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.variants import find_variant
from llm_i2i_spark.fuse.fusion import fuse_rows
from llm_i2i_spark.fuse.transform import real_rows
from llm_i2i_spark.lake.interaction_weights import measure_weights
from llm_i2i_spark.lake.splits import rows_seen
from llm_i2i_spark.lake.stage_run import StageRun


def execute(run: StageRun) -> None:
    """Write `fused` for the variants of the run.

    Raises:
        InputDataError: no interaction lies in the folds that models may see.
    """
    seen = rows_seen(run.read("interactions"), run.config.model_folds, run.config.split.hold_back)
    scale = measure_weights(seen)
    real = real_rows(seen, scale.relative())
    if real.isEmpty():
        raise InputDataError(
            "No interaction is left for the models after the split; use split.holdout=none for so"
            " small a log."
        )
    typical = scale.mean_relative(seen)
    parts = []
    for scope in run.scopes:
        variant = find_variant(scope["variant"])
        models = {
            table: run.read(table, {"branch": variant.branch}) for table in variant.fusion.reads
        }
        rows = fuse_rows(variant.fusion, real, models, run.config.fuse, typical)
        parts.append(rows.select(F.lit(variant.name).alias("variant"), "*"))
    run.write("fused", reduce(DataFrame.unionByName, parts))
