"""Stage i2i: weighted interactions in, item similarities out, for each variant and backbone."""

from __future__ import annotations

from functools import reduce
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.base import BackboneRun
from llm_i2i_spark.base.contract import scope_key
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import TableNotFoundError
from llm_i2i_spark.i2i.incremental import find_previous
from llm_i2i_spark.i2i.stage import scopes_read
from llm_i2i_spark.lake.stage_run import StageRun

PARTS = next(one.type for one in TABLES["item_similarity"].columns if one.name == "components")


def execute(run: StageRun) -> None:
    """Write `item_similarity`: each variant of the run by each backbone, in one commit.

    Raises:
        TableNotFoundError: a variant of the run has no rows.
        ConfigError: the plan of a result cannot fit.
    """
    parts: list[DataFrame] = []
    attributes: dict[str, Any] = {}
    for scope in run.scopes:
        variant, name = scope["variant"], scope["backbone"]
        backbone = run.config.i2i.parameters(name)
        interactions = run.read("fused", {"variant": variant})
        if interactions.isEmpty():
            raise TableNotFoundError(
                f"Table fused has no rows of variant {variant}; run stage fuse with --variants"
                f" {variant} first."
            )
        settings = backbone.digest(run.config.seed)
        backbone_run = BackboneRun(
            run.config.seed,
            run.config.i2i,
            f"{variant}, {name}",
            run.staged,
            {
                table: run.read(table, one)
                for table in backbone.reads
                for one in scopes_read(table, scope)
            },
            find_previous(run, scope, backbone, settings),
        )
        similar = backbone.compute(interactions, backbone_run)
        if "components" not in similar.columns:
            similar = similar.withColumn("components", F.lit(None).cast(PARTS))
        parts.append(similar.withColumns({column: F.lit(scope[column]) for column in scope}))
        attributes[scope_key(scope)] = {"settings": settings, **backbone_run.attributes}
    similarities = reduce(DataFrame.unionByName, parts)
    run.write("item_similarity", similarities, "i2i: similarities", results=attributes)
