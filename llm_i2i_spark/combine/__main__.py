"""`python -m llm_i2i_spark.combine`: the training job of combiners from a shell."""

from __future__ import annotations

from collections.abc import Sequence

from llm_i2i_spark.base.contract import scope_of
from llm_i2i_spark.base.errors import ConfigError, TableNotFoundError
from llm_i2i_spark.base.external_input import ExternalInput
from llm_i2i_spark.base.run_record import new_run_id
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.training_job.command_line import JobProgram, exit_at_once
from llm_i2i_spark.training_job.events import Reporter

STAGE = "combine"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job.

    Returns:
        The exit code: 0 for success, 2 for a user's mistake, 1 for anything else.
    """
    program = JobProgram(
        stage=STAGE,
        work="training of combiners",
        table="combiners",
        description="Train the combiners of blends on the latest examples.",
        execute=_execute,
    )
    return program.main(arguments)


def _execute(
    config: Config, pinned: PinnedRun | None, lake: DeltaRsLake, reporter: Reporter
) -> int:
    run = pinned or _latest_run(config, lake)
    # Imported here, so that a mistake in the settings is reported before torch is loaded.
    from llm_i2i_spark.combine.job import Job

    return Job(config, run, lake, reporter).execute()


def _latest_run(config: Config, lake: DeltaRsLake) -> PinnedRun:
    """The run that wrote the latest examples."""
    records = [one.record for one in lake.history("combiner_examples")]
    record = next((one for one in records if one is not None and one.scopes), None)
    if record is None:
        raise TableNotFoundError(
            f"There is no table combiner_examples in {lake.root}; run stage combine first."
        )
    settings = config.settings()
    for key, value in record.settings.items():
        if settings.get(key, value) != value:
            raise ConfigError(
                f"{key} was {value} when the examples were written and is {settings[key]}; run"
                " stage combine again."
            )
    return PinnedRun(
        run_id=new_run_id(),
        stage=STAGE,
        reads=record.reads,
        scopes=tuple(scope_of(key) for key in record.scopes),
        results=record.scopes,
        external_inputs={
            name: ExternalInput(digest, "") for name, digest in record.external_inputs.items()
        },
        settings=record.settings,
    )


if __name__ == "__main__":
    exit_at_once(main())
