"""Stage sft: training examples in, fine-tuned models out, by a process without Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.variants import BASE_BRANCH
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.training_job.launch import launch, log_file

if TYPE_CHECKING:
    from llm_i2i_spark.lake.stage_run import StageRun


def execute(run: StageRun) -> None:
    """Launch the job at the pinned versions and show its progress until it has committed.

    Raises:
        ConfigError: the lake is not a local folder, or the job says that the user can mend it.
    """
    config = run.config
    branch = run.scopes[0]["branch"]
    part = "" if branch == BASE_BRANCH else branch
    log = log_file(run.lake.path("checkpoints"), run.stage.name, part)
    check_layout(config)
    model = config.sft.base_model or "the compact model"
    log_message(
        f"  fine-tuning {model} for branch {branch} on sft_generator"
        f" v{run.versions['sft_generator']}; log in {log}"
    )
    count = config.sft.executor_ranks
    ranks = run.executor_ranks(log.parent, count) if count else None
    launch(config, run.pinned, log, "llm_i2i_spark.sft", part, run.cancelled, ranks)


def check_layout(config: Config) -> None:
    """See that the layout of the examples is one that the model reads.

    Raises:
        ConfigError: `instruct` without a base model.
    """
    if config.layout == "instruct" and config.sft.base_model is None:
        raise ConfigError(
            f"export.layout={config.export.layout} needs sft.base_model: set export.layout=auto and"
            " run export again."
        )
