"""`python -m llm_i2i_spark.sft`: the job from a shell, by itself or under the `torchrun` or
`deepspeed` launcher.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from llm_i2i_spark.base.contract import result_name, scope_key
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import LlmI2iError, UserError
from llm_i2i_spark.base.fingerprint import Ingredients, code_digest
from llm_i2i_spark.base.run_record import fingerprint_in, new_run_id
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.base.variants import BASE_BRANCH
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.sft.events import EventFile, EventView, Reporter, silent
from llm_i2i_spark.sft.launch import end_with_parent
from llm_i2i_spark.sft.stage import STAGE, check_layout


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; the exit code: 0 done, 2 a user's mistake, 1 anything else."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _parse(given)
    first = os.environ.get("RANK", "0") == "0"
    view = EventView()
    reporter = Reporter(
        (EventFile(options.events).write if options.events else view.show) if first else silent
    )
    try:
        if options.events:
            end_with_parent()
        config = load_config(options.config, options.set)
        lake = DeltaRsLake(config.lake)
        if config.sft.nproc_per_node > 1 and "RANK" not in os.environ:
            _become_launcher(config.sft.nproc_per_node, given)
        if not options.events:
            _noise_to(lake.root / "sft.log")
        version = _work(config, options.run, lake, reporter)
    except LlmI2iError as error:
        return _explain(reporter, view, str(error), user=isinstance(error, UserError))
    except Exception as error:
        traceback.print_exc(file=sys.__stdout__)  # the log
        return _explain(reporter, view, f"{type(error).__name__}: {error}", user=False)
    view.close()
    if first and not options.events:
        sys.stderr.write(f"  checkpoints version {version}\n")
    return 0


def _work(config: Config, pinned: Path | None, lake: DeltaRsLake, reporter: Reporter) -> int:
    check_layout(config)
    run = _pinned_run(pinned) if pinned else _latest_run(config, lake)
    # Here, so that a mistake in the settings is said before torch is loaded.
    from llm_i2i_spark.sft.distributed import join_ranks
    from llm_i2i_spark.sft.job import Job

    return Job(config, run, lake, join_ranks(), reporter).execute()


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
        raise UserError(
            f"--run {path} is not the JSON of a run ({error}); leave it out to take the latest"
            " versions."
        ) from None


def _latest_run(config: Config, lake: DeltaRsLake) -> PinnedRun:
    """The run that the latest exports ask for; its result is the one that `llm-i2i run` looks for."""
    scope = {"branch": BASE_BRANCH}
    versions, inputs = {}, {}
    for table in STAGE.reads:
        of_table = scope if TABLES[table].scope else {}
        history = lake.history(table)
        fingerprint = fingerprint_in(history, of_table)
        if fingerprint is None:
            raise UserError(
                f"There is no table {table} in {lake.root}; run ingest and export first."
            )
        versions[table] = history[0].version
        inputs[result_name(table, of_table)] = fingerprint
    settings = config.settings(*STAGE.settings, "seed")
    code = code_digest(*STAGE.code)
    ingredients = Ingredients(STAGE.name, scope, inputs, {}, settings, code)
    return PinnedRun(
        run_id=new_run_id(),
        stage=STAGE.name,
        reads=versions,
        scopes=(scope,),
        results={scope_key(scope): ingredients.result},
        settings=settings,
        code_digest=code,
    )


def _become_launcher(processes: int, arguments: Sequence[str]) -> None:
    """Turn into torchrun, which starts this program again once a rank; the process id, and who
    waits for it, stay.
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


def _noise_to(log: Path) -> None:
    """Send what libraries print to a log, below Python too; sys.stderr stays the person's."""
    log.parent.mkdir(parents=True, exist_ok=True)
    person = os.fdopen(os.dup(2), "w", buffering=1)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stderr = person


def _explain(reporter: Reporter, view: EventView, message: str, user: bool) -> int:
    view.close()
    reporter.failed(message, user)
    sys.stderr.write(message + "\n")
    return 2 if user else 1


if __name__ == "__main__":
    sys.exit(main())
