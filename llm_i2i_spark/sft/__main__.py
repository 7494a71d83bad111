"""`python -m llm_i2i_spark.sft`: the fine-tuning job from a shell, alone or under the launcher
`torchrun` or `deepspeed`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from llm_i2i_spark.base.contract import result_name, scope_key
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import ConfigError, LlmI2iError, StageError, TableNotFoundError
from llm_i2i_spark.base.fingerprint import Ingredients
from llm_i2i_spark.base.run_record import fingerprint_in, new_run_id
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.base.variants import BASE_BRANCH
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.run_lock import lake_lock
from llm_i2i_spark.sft.events import EventFile, EventView, Reporter, discard
from llm_i2i_spark.sft.execute import check_layout
from llm_i2i_spark.sft.launch import end_with_parent
from llm_i2i_spark.sft.model_inputs import find_model_inputs
from llm_i2i_spark.sft.stage import STAGE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job.

    Returns:
        The exit code: 0 for success, 2 for a user's mistake, 1 for anything else.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _parse(given)
    is_main = os.environ.get("RANK", "0") == "0"
    view = EventView()
    reporter = Reporter(
        (EventFile(options.events).write if options.events else view.show) if is_main else discard
    )
    try:
        if options.events:
            end_with_parent()
        config = load_config(options.config, options.set)
        lake = DeltaRsLake(config.lake)
        if config.sft.nproc_per_node > 1 and "RANK" not in os.environ:
            _become_launcher(config.sft.nproc_per_node, given)
        if not options.events:
            _redirect_output(lake.root / "sft.log")
        # The run that launched this job has the lock; of a job's ranks the first one takes it.
        locked = lake.root if is_main and not options.events else None
        with lake_lock(locked, "fine-tuning"):
            version = _execute(config, options.run, lake, reporter)
    except LlmI2iError as error:
        return _explain(reporter, view, str(error), type(error))
    except Exception as error:
        traceback.print_exc(file=sys.__stdout__)  # the log
        return _explain(reporter, view, f"{type(error).__name__}: {error}", StageError)
    view.close()
    if is_main and not options.events:
        sys.stderr.write(f"  checkpoints version {version}\n")
    return 0


def _execute(config: Config, pinned: Path | None, lake: DeltaRsLake, reporter: Reporter) -> int:
    check_layout(config)
    run = _pinned_run(pinned) if pinned else _latest_run(config, lake)
    # Imported here, so that a mistake in the settings is reported before torch is loaded.
    from llm_i2i_spark.sft.distributed import initialize_distributed
    from llm_i2i_spark.sft.job import Job

    ranks = initialize_distributed()
    version = Job(config, run, lake, ranks, reporter).execute()
    ranks.leave()
    return version


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m llm_i2i_spark.sft",
        description="Fine-tune the generator and the discriminator.",
    )
    parser.add_argument(
        "--config",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="YAML files, later ones on top",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="such as sft.epochs=20",
    )
    parser.add_argument(
        "--run",
        type=Path,
        metavar="FILE",
        help="JSON with the pinned run; without it the latest versions are read",
    )
    parser.add_argument(
        "--events",
        type=Path,
        metavar="FILE",
        help="write progress there as lines of JSON, for the process that waits",
    )
    parser.add_argument(
        "--local_rank", "--local-rank", type=int, help=argparse.SUPPRESS
    )  # given by the deepspeed launcher
    return parser.parse_args(arguments)


def _pinned_run(path: Path) -> PinnedRun:
    try:
        return PinnedRun.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"--run {path} is not the JSON of a run ({error}); leave it out to take the latest"
            " versions."
        ) from None


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


def _become_launcher(processes: int, arguments: Sequence[str]) -> None:
    """Replace this process by torchrun, which starts this program once for each rank; the process
    id, and so the parent that waits for it, stays.
    """
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(processes),
    ]
    os.execv(sys.executable, [*launcher, "-m", "llm_i2i_spark.sft", *arguments])


def _redirect_output(log: Path) -> None:
    """Send the output of libraries to a log, below Python too; only sys.stderr stays on the
    terminal.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    terminal = os.fdopen(os.dup(2), "w", buffering=1)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stderr = terminal


def _explain(reporter: Reporter, view: EventView, message: str, error: type[LlmI2iError]) -> int:
    view.close()
    reporter.failed(message, error.__name__)
    sys.stderr.write(message + "\n")
    return error.exit_code


def _exit(code: int) -> NoReturn:
    """End this process at once, without tearing the interpreter down.

    A communication thread of torch that drops its last tensor meanwhile waits for an interpreter
    that is gone, and the C++ runtime then aborts a rank that had done all its work.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    _exit(main())
