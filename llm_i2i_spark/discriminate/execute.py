"""Stage discriminate: proposed and real interactions in, scores with calibrated confidence out."""

from __future__ import annotations

from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.discriminate.transform import candidate_requests, real_requests
from llm_i2i_spark.discriminate.worker import load_discriminator, score_batch
from llm_i2i_spark.lake.batch_inference import InferenceTask, in_user_buckets, infer
from llm_i2i_spark.lake.checkpoints import find_checkpoint
from llm_i2i_spark.lake.splits import rows_seen
from llm_i2i_spark.lake.stage_run import StageRun
from llm_i2i_spark.lake.tables import result_schema
from llm_i2i_spark.lake.user_histories import build_histories
from llm_i2i_spark.prompts.templates import DISCRIMINATOR, prompt_digest


def execute(run: StageRun) -> None:
    """Write `scored`: every candidate, and with `discriminate.score_real` every recent real
    interaction of the users.
    """
    config, branch = run.config, run.scopes[0]["branch"]
    items, candidates = run.read("items"), run.read("candidates")
    interactions = rows_seen(run.read("interactions"), config.model_folds, config.split.hold_back)
    checkpoint = find_checkpoint(run.read("checkpoints"), "discriminator")
    settings, length = config.discriminate, config.export.history_length
    histories = build_histories(interactions, items, config.model_folds, length)
    requests = candidate_requests(histories, candidates, items)
    if settings.score_real:
        longer = build_histories(
            interactions, items, config.model_folds, config.export.sequence_length
        )
        requests = requests.unionByName(real_requests(longer, length))
    task = InferenceTask(
        checkpoint_path=checkpoint.path,
        model_digest=checkpoint.digest,
        prompt_digest=prompt_digest(config.layout, DISCRIMINATOR),
        batch_tokens=settings.batch_tokens,
        device=settings.device,
        schema=to_arrow_schema(result_schema(TABLES["scored"])),
    )
    order = ("user_id", "part")
    users = in_user_buckets(requests, settings.partitions, config.seed, order).drop("part")
    scored_rows = "candidates and real interactions" if settings.score_real else "candidates"
    title = f"discriminator {checkpoint.digest[:12]}, {scored_rows}"
    scored = infer(
        users,
        task,
        load_discriminator,
        score_batch,
        title,
        run.kept_results("scored"),
        run.token_counter(),
    )
    run.write(
        "scored",
        scored.select(F.lit(branch).alias("branch"), "*"),
        "discriminate",
        model_digest=checkpoint.digest,
    )
