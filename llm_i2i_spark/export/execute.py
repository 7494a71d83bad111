"""The export stage: interactions and catalogue in, training examples of both models out."""

from __future__ import annotations

from pyspark.sql import functions as F

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.export.transform import (
    dialogue_examples,
    discriminator_examples,
    instruct_examples,
    mark_calibration,
    sequence_examples,
    user_sequences,
)
from llm_i2i_spark.lake.interaction_weights import measure_weights
from llm_i2i_spark.lake.item_statistics import item_statistics
from llm_i2i_spark.lake.splits import rows_seen
from llm_i2i_spark.lake.stage_run import StageRun
from llm_i2i_spark.lake.user_histories import build_histories, sample_users


def execute(run: StageRun) -> None:
    """Write `sft_generator` and `sft_discriminator` from the folds that models may see.

    Raises:
        InputDataError: no user has two interactions to learn from.
    """
    config, export = run.config, run.config.export
    items = run.read("items")
    seen = rows_seen(run.read("interactions"), config.model_folds, config.split.hold_back)
    weighed = seen.withColumn("weight", measure_weights(seen).relative())
    if export.max_users is not None:
        weighed = sample_users(weighed, export.max_users, config.seed)
    layout = "dialogue" if export.layout == "dialogue" else config.layout
    sequences = 1 if layout == "instruct" else export.sequences_per_user
    # One more than the rows of a user hold, since a calibration user's last item is withheld.
    latest = sequences * export.sequence_length + 1
    histories = build_histories(weighed, items, config.model_folds, latest, ["weight"])
    stats = run.read("item_stats")
    if config.split.hold_back:  # the counts of the training fold know what is held back
        counted = seen.withColumn("fold", F.lit("train"))
        stats = item_statistics(items, counted, config.ingest.long_tail_share)
    weighted = user_sequences(histories, stats, config.sft.alpha, config.sft.beta)
    marked = mark_calibration(weighted, export.calibration_share, config.seed)
    users = run.staged(marked, "export: histories")
    if users.where(F.size("sequence") >= 2).isEmpty():
        raise InputDataError(
            "No user has two interactions that models may see, so there is nothing to train on; run"
            " with --variants real."
        )
    if layout == "sequence":
        generator = sequence_examples(users, export.sequence_length, sequences)
    elif layout == "dialogue":
        generator = dialogue_examples(
            users, export.sequence_length, export.history_length, sequences
        )
    else:
        generator = instruct_examples(users, export.history_length)
    counts = stats.select("item_id", "n_interactions")
    discriminator = discriminator_examples(
        users,
        items.join(counts, "item_id", "left").fillna(0, ["n_interactions"]),
        export.history_length,
        export.positives_per_user,
        export.negatives_per_positive,
        export.popular_negatives,
        config.seed,
    )
    branch = F.lit(run.scopes[0]["branch"]).alias("branch")
    run.write("sft_generator", generator.select(branch, "*"), layout=layout)
    run.write("sft_discriminator", discriminator.select(branch, "*"))
    log_message(
        f"  examples in layout {layout}; a long-tail target weighs"
        f" {config.sft.alpha:g}, any other {config.sft.beta:g}"
    )
