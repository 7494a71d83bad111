"""Data files of a local table that are not as its log says, and a log that cannot be read. No
Spark, and no look into the data files: their names and sizes are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from llm_i2i_spark.base import errors
from llm_i2i_spark.base.contract import scope_of
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.files import is_uri
from llm_i2i_spark.base.run_record import (
    LOST_FILES,
    Commit,
    LostFile,
    RunRecord,
    ScopeResult,
)
from llm_i2i_spark.lake.block_checksums import ChecksumError, verify_log
from llm_i2i_spark.lake.commit_attempts import commit_options


def open_table(path: str, version: int | None = None, to_commit: bool = False) -> DeltaTable:
    """The Delta table in a local folder.

    Args:
        path: of the table.
        version: None for the latest.
        to_commit: whether it is to be written.

    Raises:
        TableNotFoundError: its log is damaged, or has no such version; the sentence says what to
            do.
    """
    log = Path(path, "_delta_log")
    try:
        if log.is_dir():
            verify_log(log)
        options = commit_options(log) if to_commit else None
        return DeltaTable(path, version=version, storage_options=options)
    except TableNotFoundError:
        raise
    except ChecksumError as error:
        raise damaged_log(path, str(error)) from None
    except OSError as error:
        raise errors.TableNotFoundError(
            f"The Delta log of {path} cannot be read ({error.strerror})."
        ) from error
    except DeltaError as error:
        reason = str(error).splitlines()[0].removeprefix("Kernel error: ")[:120]
        if version is None:
            raise damaged_log(path, reason) from None
        raise errors.TableNotFoundError(
            f"Version {version} of {Path(path).name} cannot be read ({reason}); name one that its"
            " history still has."
        ) from None


def is_whole_table(path: str) -> bool:
    """Whether a local folder is a Delta table; an empty or missing one is none.

    Raises:
        TableNotFoundError: there are data files without a log, or a log without its begin.
    """
    folder, log = Path(path), Path(path, "_delta_log")
    if not DeltaTable.is_deltatable(path):
        # Files beside an empty log are of a first commit that another process is about to make, or
        # that was ended before it could. The folder of the log is older than any file: looked for
        # last, it cannot be missed.
        if any(folder.glob("*.parquet")) and not log.is_dir():
            raise damaged_log(path, "it is missing, and data files are there")
        return False
    names = {file.name for file in log.iterdir()}
    if f"{0:020}.json" not in names and not any(".checkpoint." in name for name in names):
        raise damaged_log(path, "its first commits are missing")
    return True


def remove_failed_creation(path: str) -> None:
    """Remove the folders of a table whose first commit failed, as on a full disk: Delta takes them
    for a table, does not make one, and then does not find it.

    Args:
        path: of the table; one with a commit or a data file stays as it is.
    """
    log = Path(path, "_delta_log")
    if any(log.glob("*.json")):
        return
    for unfinished in log.glob(".*.tmp*"):  # Delta leaves it where closing it fails
        unfinished.unlink(missing_ok=True)
    with suppress(OSError):  # not there, or not empty
        for folder in (log / "_staged_commits", log / "_sidecars", log, Path(path)):
            if folder.exists():
                folder.rmdir()


def damaged_log(path: str, reason: str) -> errors.TableNotFoundError:
    """The error for a table whose log cannot be read.

    Args:
        path: of the table.
        reason: in words.
    """
    name = Path(path).name
    again = f"; stage {TABLES[name].stage} then makes it anew" if name in TABLES else ""
    return errors.TableNotFoundError(
        f"The Delta log of {path} is damaged ({reason}); put back its _delta_log from a copy, or"
        f" move the folder away with `mv '{path}' '{path}.damaged'`{again}."
    )


def find_lost_files(path: str, version: int | None = None) -> list[LostFile]:
    """The data files of a version that are missing or have another size.

    Args:
        path: of the table.
        version: None for the latest.

    Raises:
        TableNotFoundError: the log cannot be read.
    """
    actions = pa.table(open_table(path, version).get_add_actions(flatten=True)).to_pylist()
    lost = []
    for action in actions:
        file = Path(path, action["path"])
        if is_uri(action["path"]):
            continue
        exists = file.is_file()
        if not exists or file.stat().st_size != action["size_bytes"]:
            lost.append(LostFile(action["path"], exists, _bounds(action)))
    return lost


def _bounds(action: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    bounds = {}
    for key, smallest in action.items():
        kind, _, column = key.partition(".")
        largest = action.get(f"max.{column}")
        if kind == "min" and isinstance(smallest, str) and isinstance(largest, str):
            bounds[column] = smallest, largest
    return bounds


def with_losses(
    record: RunRecord, history: Sequence[Commit], lost: Sequence[LostFile]
) -> RunRecord:
    """The record of a commit that drops lost files: it says of the results which had rows in them
    that they are no more.

    Args:
        record: of the results that the commit writes.
        history: of the table.
        lost: the files.
    """
    known = {key for commit in history if commit.record for key in commit.record.scopes if key}
    gone = {
        key: ScopeResult("")
        for key in sorted(known)
        if any(file.may_hold(scope_of(key)) for file in lost)
    }
    attributes = {**record.attributes, LOST_FILES: len(lost)}
    return replace(record, scopes={**gone, **record.scopes}, attributes=attributes)
