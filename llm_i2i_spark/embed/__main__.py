"""`python -m llm_i2i_spark.embed`: the job that stage embed launches."""

from __future__ import annotations

from collections.abc import Sequence

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.training_job.command_line import JobProgram, exit_at_once
from llm_i2i_spark.training_job.events import Reporter


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job.

    Returns:
        The exit code: 0 for success, 2 for a user's mistake, 1 for anything else.
    """
    program = JobProgram(
        stage="embed",
        work="training of item embeddings",
        table="item_embeddings",
        description="Learn the item embeddings of a pinned run.",
        execute=_execute,
    )
    return program.main(arguments)


def _execute(
    config: Config, pinned: PinnedRun | None, lake: DeltaRsLake, reporter: Reporter
) -> int:
    if pinned is None:
        raise ConfigError("This job is launched by stage embed; type llm-i2i embed instead.")
    # Imported here, so that a mistake in the settings is reported before torch is loaded.
    from llm_i2i_spark.embed.job import Job

    return Job(config, pinned, lake, reporter).execute()


if __name__ == "__main__":
    exit_at_once(main())
