"""The generate stage: histories in, candidates out; the model runs where the partitions are."""

from __future__ import annotations

from functools import partial

from pyspark.sql.pandas.types import to_arrow_schema

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.run_record import Run, Stage
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.generate.transform import generator_inputs
from llm_i2i_spark.generate.worker import GenerateTask, generate_partition
from llm_i2i_spark.lake.capabilities import gpu_profile
from llm_i2i_spark.lake.checkpoints import find_checkpoint
from llm_i2i_spark.lake.tables import Lake, contract_schema
from llm_i2i_spark.lake.user_histories import build_histories, owned_items
from llm_i2i_spark.prompts.templates import prompt_digest


def execute(lake: Lake, config: Config, run: Run) -> None:
    """Write `candidates`: up to `generate.per_user` catalogue items a user, none of them owned."""
    interactions, items = (lake.read(name, run.inputs[name]) for name in ("interactions", "items"))
    checkpoint = find_checkpoint(lake, "generator", run.inputs["checkpoints"])
    settings = config.generate
    histories = build_histories(
        interactions, items, config.model_folds, config.export.history_length
    )
    users = generator_inputs(
        histories, owned_items(interactions, config.model_folds), settings.partitions, config.seed
    )
    contract = contract_schema(TABLES["candidates"])
    task = GenerateTask(
        checkpoint_path=checkpoint.path,
        model_digest=checkpoint.digest,
        prompt_digest=prompt_digest(config.layout, "generator"),
        decode_digest=config.decode_digest,
        per_user=settings.per_user,
        batch_tokens=settings.batch_tokens,
        device=settings.device,
        schema=to_arrow_schema(contract),
    )
    profile = gpu_profile(lake.spark)
    log_message(
        f"  generator {checkpoint.digest[:12]}, {settings.per_user} items a user,"
        f" {'one GPU a task' if profile else 'plain tasks'}"
    )
    candidates = users.mapInArrow(partial(generate_partition, task=task), contract, profile=profile)
    lake.write(
        candidates, run.record(config, "candidates", model_digest=checkpoint.digest), "generate"
    )


STAGE = Stage(
    name="generate",
    needs=lambda config, variants: ("interactions", "items", "checkpoints"),
    writes=("candidates",),
    settings=("generate", "export.history_length", "split.protocol", "split.holdout"),
    execute=execute,
)
