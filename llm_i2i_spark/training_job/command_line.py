"""A training job as a program: its arguments, its log, its exit code."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from llm_i2i_spark.base.disk_errors import disk_error
from llm_i2i_spark.base.errors import ConfigError, LlmI2iError, StageError, UserError
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.run_lock import lake_lock
from llm_i2i_spark.training_job.events import EventFile, EventView, Reporter, discard
from llm_i2i_spark.training_job.launch import end_with_parent


@dataclass(frozen=True)
class JobProgram:
    """What the program of a stage's job does.

    Attributes:
        stage: its name; the program is `python -m llm_i2i_spark.STAGE`.
        work: in one word, for those who wait for the lake.
        table: that it commits.
        description: one sentence.
        execute: the work; its arguments are the settings, the run that `--run` gave or None, the
            lake, and the reporter of progress. Returns the version that it committed.
        prepare: done before the output goes to the log; its arguments are the settings and those of
            the program.
    """

    stage: str
    work: str
    table: str
    description: str
    execute: Callable[[Config, PinnedRun | None, DeltaRsLake, Reporter], int]
    prepare: Callable[[Config, Sequence[str]], None] = lambda config, arguments: None

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Run the job.

        Returns:
            The exit code: 0 for success, 2 for a user's mistake, 1 for anything else.
        """
        given = list(sys.argv[1:] if arguments is None else arguments)
        options = parse(given, self.stage, self.description)
        is_main = os.environ.get("RANK", "0") == "0"
        view = EventView(self.stage)
        reporter = Reporter(
            (EventFile(options.events).write if options.events else view.show)
            if is_main
            else discard
        )
        try:
            if options.events:
                # Of ranks, the parent is the launcher that took this process's place.
                end_with_parent(None if "RANK" in os.environ else options.parent)
            config = load_config(options.config, options.set)
            lake = DeltaRsLake(config.lake)
            self.prepare(config, given)
            if not options.events:
                _redirect_output(lake.root / f"{self.stage}.log")
            # The run that launched this job has the lock; of a job's ranks the first one takes it.
            locked = lake.root if is_main and not options.events else None
            with lake_lock(locked, self.work):
                run = _pinned_run(options.run) if options.run else None
                version = self.execute(config, run, lake, reporter)
        except LlmI2iError as error:
            return _explain(reporter, view, str(error), type(error))
        except Exception as error:
            met = disk_error(error)
            if met is not None:
                return _explain(reporter, view, str(met), UserError)
            traceback.print_exc(file=sys.__stdout__)  # the log
            return _explain(reporter, view, f"{type(error).__name__}: {error}", StageError)
        view.close()
        if is_main and not options.events:
            sys.stderr.write(f"  {self.table} version {version}\n")
        return 0


def parse(arguments: Sequence[str], stage: str, description: str) -> argparse.Namespace:
    """The arguments that every job understands: `--config`, `--set`, `--run`, `--events` and
    `--parent`.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m llm_i2i_spark.{stage}", description=description
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
        help="such as seed=2",
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
        "--parent", type=int, metavar="PID", help="the process that waits, to end together with it"
    )
    parser.add_argument(
        "--local_rank", "--local-rank", type=int, help=argparse.SUPPRESS
    )  # given by the deepspeed launcher
    return parser.parse_args(arguments)


def exit_at_once(code: int) -> NoReturn:
    """End this process at once, without tearing the interpreter down.

    A communication thread of torch that drops its last tensor meanwhile waits for an interpreter
    that is gone, and the C++ runtime then aborts a process that had done all its work.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _pinned_run(path: Path) -> PinnedRun:
    try:
        return PinnedRun.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"--run {path} is not the JSON of a run ({error}); leave it out to take the latest"
            " versions."
        ) from None


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
