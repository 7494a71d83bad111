"""The export stage: interactions and catalogue in, training examples of both models out."""

from __future__ import annotations

from pyspark.sql import functions as F

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.run_record import Run, Stage
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.export.transform import (
    discriminator_examples,
    instruct_examples,
    mark_calibration,
    sequence_examples,
    user_sequences,
)
from llm_i2i_spark.lake.materialize import materialized
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.lake.user_histories import build_histories


def execute(lake: Lake, config: Config, run: Run) -> None:
    """Write `sft_generator` and `sft_discriminator` from the folds that models may see."""
    interactions, items, stats = (
        lake.read(name, run.inputs[name]) for name in ("interactions", "items", "item_stats")
    )
    export = config.export
    # One more than a row of examples holds, since a calibration user's last item is withheld from
    # it.
    histories = build_histories(interactions, items, config.model_folds, export.sequence_length + 1)
    sequences = user_sequences(histories, stats, config.sft.alpha, config.sft.beta)
    marked = mark_calibration(sequences, export.calibration_share, config.seed)
    with materialized(lake, marked, "export: histories") as users:
        if users.where(F.size("sequence") >= 2).isEmpty():
            raise UserError(
                "No user has two interactions that models may see, so there is nothing to train on;"
                " run with --variants real."
            )
        if config.layout == "sequence":
            generator = sequence_examples(users, export.sequence_length, export.history_length)
        else:
            generator = instruct_examples(users, export.history_length)
        lake.write(generator, run.record(config, "sft_generator", layout=config.layout))
        discriminator = discriminator_examples(
            users,
            items,
            export.history_length,
            export.positives_per_user,
            export.negatives_per_positive,
            config.seed,
        )
        lake.write(discriminator, run.record(config, "sft_discriminator"))
    log_message(
        f"  examples in layout {config.layout}; a long-tail target weighs {config.sft.alpha:g}, any"
        f" other {config.sft.beta:g}"
    )


STAGE = Stage(
    name="export",
    needs=lambda config, variants: ("interactions", "items", "item_stats"),
    writes=("sft_generator", "sft_discriminator"),
    settings=(
        "export",
        "sft.base_model",
        "sft.alpha",
        "sft.beta",
        "split.protocol",
        "split.holdout",
    ),
    execute=execute,
)
