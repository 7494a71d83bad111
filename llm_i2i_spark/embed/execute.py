"""Stage embed: weighted interactions in, item embeddings and the network of
users out, by a process without Spark.
"""

from __future__ import annotations

from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.contract import scope_key
from llm_i2i_spark.lake.stage_run import StageRun
from llm_i2i_spark.training_job.launch import launch, log_file


def execute(run: StageRun) -> None:
    """Launch the job that writes `item_embeddings` and `user_networks`.

    Raises:
        ConfigError: the lake is not a local folder.
        StageError: the job failed.
    """
    log = log_file(run.lake.path("item_embeddings"), run.stage.name)
    names = " and ".join(scope_key(scope) for scope in run.scopes)
    log_message(f"  learning the item embeddings of {names}; log in {log}")
    launch(run.config, run.pinned, log, "llm_i2i_spark.embed", cancelled=run.cancelled)
