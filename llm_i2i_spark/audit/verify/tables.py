"""One table of a local lake against its log, its contract and the horizon of the audit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

from llm_i2i_spark.audit.runs import utc
from llm_i2i_spark.audit.verify.result import TableVerification
from llm_i2i_spark.base.contract import Table
from llm_i2i_spark.base.errors import InputDataError, TableNotFoundError
from llm_i2i_spark.base.manifest import verify_manifest
from llm_i2i_spark.base.run_record import ERASED_ROWS
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.lost_files import open_table
from llm_i2i_spark.lake.row_checks import (
    QUERY_ERRORS,
    column_problems,
    page_problems,
    row_problems,
)
from llm_i2i_spark.lake.table_files import TableFiles, VersionState, read_table_files

NAMED = 3
"""Lost files that a sentence names."""
DELTA_DEFAULT = "interval 7 days"
"""How long Delta keeps the files of old versions where a table does not say."""


def verify_table(
    lake: DeltaRsLake, contract: Table, retention_days: int, quick: bool = False
) -> TableVerification | None:
    """Verify one table; None where it does not exist.

    Args:
        lake: the tables.
        contract: of the table.
        retention_days: how far back its versions must be readable.
        quick: compare names and sizes of files alone, and read no rows.
    """
    path = lake.path(contract.name)
    try:
        if not lake.history(contract.name, 1):
            return None
        files = read_table_files(path)
    except (TableNotFoundError, *QUERY_ERRORS, ValueError, KeyError) as error:
        return _unreadable(contract, f"its log cannot be read: {error}".splitlines()[0])
    erased = _last_erasure(lake, contract.name)
    problems = [*_lost(lake, contract.name), *_unreachable(files.versions, retention_days, erased)]
    wrong, missing = column_problems(path, contract)
    problems += wrong
    rows = None
    if files.versions[-1].readable and not quick:
        rows, found = _read_rows(path, contract)
        problems += [*found, *_models(lake, contract)]
    return _result(contract, files, rows, problems, [*missing, *_retention(path, retention_days)])


def _read_rows(path: str, contract: Table) -> tuple[int | None, list[str]]:
    damaged = list(page_problems(path))
    if damaged:
        return None, damaged
    try:
        return row_problems(path, contract)
    except QUERY_ERRORS as error:
        return None, [f"its rows cannot be read ({str(error).splitlines()[0]})"]


def _lost(lake: DeltaRsLake, table: str) -> Iterator[str]:
    lost = lake.lost_files(table)
    if lost:
        names = ", ".join(f"{one.name} ({_state(one.exists)})" for one in lost[:NAMED])
        more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
        yield f"{len(lost)} data files are not as the log says: {names}{more}; run its stage again"


def _state(exists: bool) -> str:
    return "another size" if exists else "missing"


def _last_erasure(lake: DeltaRsLake, table: str) -> int:
    """The latest version that deleted rows of forgotten users; 0 without one."""
    erasures = (
        one.version
        for one in lake.history(table)
        if one.record and ERASED_ROWS in one.record.attributes
    )
    return next(erasures, 0)


def _unreachable(
    versions: Sequence[VersionState], retention_days: int, erased: int
) -> Iterator[str]:
    """Old versions that the horizon still covers, and that cannot be read.

    A version ends when the next one is committed; from then on its files are kept for the time of
    the retention, unless they hold rows of users that were forgotten by version `erased`.
    """
    horizon = datetime.now(timezone.utc) - timedelta(days=retention_days)
    gone = [
        old.version
        for old, new in pairwise(versions)
        if not old.readable
        and old.version >= erased
        and new.time is not None
        and new.time > horizon
    ]
    if gone:
        names = ", ".join(f"v{one}" for one in gone[:NAMED])
        more = f" and {len(gone) - NAMED} more" if len(gone) > NAMED else ""
        yield (
            f"{names}{more} cannot be read, though lake.retention_days ({retention_days}) reaches"
            " back to them: their files were removed"
        )


def _retention(path: str, retention_days: int) -> Iterator[str]:
    key = "delta.deletedFileRetentionDuration"
    kept = open_table(path).metadata().configuration.get(key, DELTA_DEFAULT)
    if kept != f"interval {retention_days} days":
        yield (
            f"keeps old versions for {kept.removeprefix('interval ')}, not"
            f" for the {retention_days} days of lake.retention_days; the next run sets it"
        )


def _models(lake: DeltaRsLake, contract: Table) -> Iterator[str]:
    """Checkpoints that rows of the latest version name, and that are not as they were written."""
    if "model_digest" not in contract.names or "path" not in contract.names:
        return
    try:
        rows = lake.read(contract.name, None, ["path", "model_digest"]).to_pylist()
    except InputDataError:
        return  # no rows
    for row in rows:
        try:
            manifest = verify_manifest(Path(row["path"]), contract.stage)
        except InputDataError as error:
            yield str(error).rstrip(".")
            continue
        if manifest["model_digest"] != row["model_digest"]:
            yield f"{row['path']} holds another model than the table says"


def _unreadable(contract: Table, problem: str) -> TableVerification:
    return TableVerification(contract.name, None, None, 0, 0, (), None, 0, 0, (problem,), ())


def _result(
    contract: Table,
    files: TableFiles,
    rows: int | None,
    problems: Sequence[str],
    notes: Sequence[str],
) -> TableVerification:
    readable = [one for one in files.versions if one.readable]
    since = next((one.time for one in readable if one.time is not None), None)
    return TableVerification(
        table=contract.name,
        version=files.versions[-1].version,
        rows=rows,
        bytes=files.bytes,
        versions=len(files.versions),
        readable=tuple(one.version for one in readable),
        readable_since=utc(since) if since else None,
        orphan_files=len(files.orphans),
        orphan_bytes=files.orphan_bytes,
        problems=tuple(problems),
        notes=tuple(notes),
    )
