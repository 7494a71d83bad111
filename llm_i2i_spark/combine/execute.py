"""Stage combine: what a backbone learns from each user's last interaction.

Mixture and training examples come from Spark; the combiner is trained by a process without it.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.base import BackboneRun
from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.contract import scope_key
from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.variants import find_variant
from llm_i2i_spark.combine.stage import scopes_read
from llm_i2i_spark.lake.stage_run import StageRun
from llm_i2i_spark.training_job.launch import launch, log_file


def execute(run: StageRun) -> None:
    """Write `mixtures` and `combiner_examples`, then launch the training of the combiners.

    Raises:
        ConfigError: the lake is not a local folder.
        InputDataError: no user has two interactions to learn from.
        StageError: the examples have seen what they are to predict.
    """
    log = log_file(run.lake.path("combiners"), run.stage.name)
    mixtures: list[DataFrame] = []
    examples: list[DataFrame] = []
    for scope in run.scopes:
        variant = find_variant(scope["variant"])
        interactions = run.read("fused", {"variant": variant.name})
        held_back = run.read("fused", {"variant": variant.as_held_back().name})
        backbone = run.config.i2i.parameters(scope["backbone"])
        title = f"{variant.name}, {backbone.name}"
        tables = {
            table: run.read(table, one)
            for table in run.stage.reads
            if table != "fused"
            for one in scopes_read(table, scope)
        }
        task = BackboneRun(run.config.seed, run.config.i2i, title, run.staged, tables)
        training = backbone.train(interactions, held_back, task)
        if training is None:
            raise InputDataError(
                "No user has two interactions that models may see, so there is nothing to train"
                f" {backbone.name} on; use another backbone, such as --backbones em_transitions."
            )
        as_columns = {column: F.lit(value) for column, value in scope.items()}
        mixtures.append(training.mixture.withColumns(as_columns))
        examples.append(training.examples.withColumns(as_columns))
    run.write("mixtures", reduce(DataFrame.unionByName, mixtures))
    run.write(
        "combiner_examples", reduce(DataFrame.unionByName, examples), "combine: training examples"
    )
    names = " and ".join(scope_key(scope) for scope in run.scopes)
    log_message(f"  training the combiner of {names}; log in {log}")
    launch(run.config, run.pinned, log, "llm_i2i_spark.combine", cancelled=run.cancelled)
