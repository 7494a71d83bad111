"""The stages of a run once more, each on the versions that it read, in a scratch lake."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from llm_i2i_spark.audit.replay.executions import (
    CannotReplayError,
    Execution,
    executions_of,
    is_training,
    pin,
    recorded_config,
)
from llm_i2i_spark.audit.replay.result import RunReplay, StageReplay, State, TableReplay
from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.contract import scope_condition
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.environment import changes_since, environment
from llm_i2i_spark.base.errors import LlmI2iError
from llm_i2i_spark.base.stage import PinnedRun, Stage
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.capabilities import SPARK_ERRORS
from llm_i2i_spark.lake.row_digest import hashed, row_digest
from llm_i2i_spark.lake.session import session_settings
from llm_i2i_spark.lake.spark_errors import spark_reason
from llm_i2i_spark.lake.stage_run import StageRun
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.lake.version_link import link_version

NOT_COMPARED = {"checkpoints": ("path", "manifest"), "combiners": ("path", "manifest")}
"""Columns that name the lake in which a row was made; the model's digest stands beside them."""
NO_TRAINING = "it trains a model; --train, or --stage with its name, trains it again"
FOLDER = "_replay"
"""Below the root of a lake: scratch lakes."""


def replay_run(
    lake: Lake,
    config: Config,
    stages: Mapping[str, Stage],
    run_id: str,
    only: Sequence[str] | None = None,
    scratch: Path | None = None,
    other_code: bool = False,
    train: bool = False,
) -> RunReplay:
    """Execute the stages of a run again, and compare what they write with what the run wrote.

    Args:
        lake: the tables, in a local folder; nothing in them is changed.
        config: the options that the records do not name, such as where the raw tables are.
        stages: of the pipeline, by name.
        run_id: of the run.
        only: stages to replay; None for all.
        scratch: folder for the scratch lake; None for one below the root of the lake, where no data
            is copied. It is removed at the end.
        other_code: whether to replay a stage whose code is another one than then.
        train: whether to replay also those that train a model; one that `only` names is replayed
            in any case.

    Raises:
        ConfigError: there is no such run.
    """
    executions = executions_of(lake, stages, run_id, only)
    found = []
    with _scratch_folder(lake, scratch) as folder, session_settings(lake.spark):
        for number, one in enumerate(executions, start=1):
            log_message(f"[{number}/{len(executions)}] replay of {one.stage.name}")
            if is_training(one.stage) and not train and only is None:
                found.append(_unmade(one, "left out", NO_TRAINING))
            else:
                found.append(_replay(lake, config, one, folder / str(number), other_code))
    return RunReplay(run_id, tuple(found))


def _replay(
    lake: Lake, config: Config, execution: Execution, folder: Path, other_code: bool
) -> StageReplay:
    started = time.monotonic()
    try:
        then = recorded_config(execution.record, config)
        pinned = pin(lake, execution, then, lambda: lake.spark, other_code)
        again = _execute(lake, then, execution, pinned, folder)
        tables = tuple(
            _compare(lake, again, table, commit.version, execution)
            for table, commit in execution.commits.items()
        )
    except (CannotReplayError, LlmI2iError) as error:
        return _unmade(execution, "not replayed", str(error))
    except SPARK_ERRORS as error:
        reason = f"it failed in Spark ({spark_reason(error)})"
        return _unmade(execution, "not replayed", reason)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    equal = all(table.is_equal for table in tables)
    return StageReplay(
        execution.stage.name,
        execution.scopes,
        "equal" if equal else "differs",
        "",
        time.monotonic() - started,
        tables,
        () if equal else _other_environment(execution),
    )


def _unmade(execution: Execution, state: State, reason: str) -> StageReplay:
    return StageReplay(execution.stage.name, execution.scopes, state, reason, 0.0, ())


def _other_environment(execution: Execution) -> tuple[str, ...]:
    """What a difference may come from that is neither input nor option."""
    then = execution.record.environment
    return changes_since(then, environment()) if then else ()


def _execute(
    lake: Lake, config: Config, execution: Execution, pinned: PinnedRun, folder: Path
) -> Lake:
    """Execute a stage in a lake that holds what it reads and nothing else; that lake."""
    moved = load_config(base=config, overrides={"lake.root": str(folder), "lake.schema": None})
    scratch = Lake(lake.spark, moved.lake)
    folder.mkdir(parents=True)
    for table, version in pinned.reads.items():
        link_version(lake.path(table), scratch.path(table), version)
    with StageRun(scratch, moved, execution.stage, pinned) as run:
        execution.stage.execute(run)
    return scratch


def _compare(
    lake: Lake, scratch: Lake, table: str, version: int, execution: Execution
) -> TableReplay:
    contract = TABLES[table]
    without = NOT_COMPARED.get(table, ())
    columns = [name for name in contract.names if name not in without]
    scopes = tuple(one for one in execution.scopes if one)
    sides = []
    for one, at in ((lake, version), (scratch, None)):
        frame = one.read(table, at)
        frame = frame.where(scope_condition(scopes)) if scopes else frame
        if contract.append:
            frame = frame.where(frame["run_id"] == execution.record.run_id)
        # A table of an earlier version lacks columns that were null in what wrote it.
        sides.append(frame.select(*(name for name in columns if name in frame.columns)))
    before, after = map(row_digest, sides)
    missing = 0
    if before != after:
        missing = hashed(sides[0]).exceptAll(hashed(sides[1])).count()
    return TableReplay(
        table, version, before.rows, after.rows, before.digest, after.digest, missing
    )


@contextmanager
def _scratch_folder(lake: Lake, scratch: Path | None) -> Iterator[Path]:
    """A new folder, which is removed at the end with all that is in it."""
    if scratch is not None:
        scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="replay-", dir=scratch))
    else:
        folder = Path(str(lake.root), FOLDER, secrets.token_hex(4))
        folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if scratch is None and not any(folder.parent.iterdir()):
            folder.parent.rmdir()
