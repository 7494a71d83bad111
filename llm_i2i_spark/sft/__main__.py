"""`python -m llm_i2i_spark.sft`: the fine-tuning job from a shell, alone or under the launcher
`torchrun` or `deepspeed`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from llm_i2i_spark.base.contract import result_name, scope_key
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import TableNotFoundError
from llm_i2i_spark.base.fingerprint import Ingredients
from llm_i2i_spark.base.run_record import fingerprint_in, new_run_id
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.base.variants import BASE_BRANCH
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.sft.execute import check_layout
from llm_i2i_spark.sft.model_inputs import find_model_inputs
from llm_i2i_spark.sft.stage import STAGE, check_lora
from llm_i2i_spark.training_job.command_line import JobProgram, exit_at_once
from llm_i2i_spark.training_job.events import Reporter


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job.

    Returns:
        The exit code: 0 for success, 2 for a user's mistake, 1 for anything else.
    """
    program = JobProgram(
        stage=STAGE.name,
        work="fine-tuning",
        table="checkpoints",
        description="Fine-tune the generator and the discriminator.",
        execute=_execute,
        prepare=_become_launcher,
    )
    return program.main(arguments)


def _execute(
    config: Config, pinned: PinnedRun | None, lake: DeltaRsLake, reporter: Reporter
) -> int:
    check_layout(config)
    check_lora(config)
    run = pinned or _latest_run(config, lake)
    # Imported here, so that a mistake in the settings is reported before torch is loaded.
    from llm_i2i_spark.sft.distributed import initialize_distributed
    from llm_i2i_spark.sft.job import Job

    ranks = initialize_distributed()
    version = Job(config, run, lake, ranks, reporter).execute()
    ranks.leave()
    return version


def _latest_run(config: Config, lake: DeltaRsLake) -> PinnedRun:
    """The run on the latest exports; its result is the one that `llm-i2i run` looks for."""
    scope = {"branch": BASE_BRANCH}
    versions, inputs = {}, {}
    for table in STAGE.reads:
        of_table = scope if TABLES[table].scope else {}
        history = lake.history(table)
        fingerprint = fingerprint_in(history, of_table)
        if fingerprint is None:
            raise TableNotFoundError(
                f"There is no table {table} in {lake.root}; run ingest and export first."
            )
        versions[table] = history[0].version
        inputs[result_name(table, of_table)] = fingerprint
    settings = config.settings(*STAGE.settings, "seed")
    external = find_model_inputs(config)
    digests = {name: one.digest for name, one in external.items()}
    ingredients = Ingredients(
        STAGE.name, scope, inputs, digests, settings, code_digest=STAGE.code_digest(scope)
    )
    return PinnedRun(
        run_id=new_run_id(),
        stage=STAGE.name,
        reads=versions,
        scopes=(scope,),
        results={scope_key(scope): ingredients.result},
        external_inputs=external,
        settings=settings,
    )


def _become_launcher(config: Config, arguments: Sequence[str]) -> None:
    """With more than one process to train in, replace this one by torchrun, which starts this
    program once for each rank; the process id, and so the parent that waits for it, stays.
    """
    processes = config.sft.nproc_per_node
    if processes <= 1 or "RANK" in os.environ:
        return
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(processes),
    ]
    os.execv(sys.executable, [*launcher, "-m", "llm_i2i_spark.sft", *arguments])


if __name__ == "__main__":
    exit_at_once(main())
