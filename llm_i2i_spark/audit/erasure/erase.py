"""The erasure: the users go on the lake's list, their rows out of every table, and, where that is
asked for, the files of old versions with them.

In this order: whatever ends it, no later run takes the users in again, and the same command goes
on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from llm_i2i_spark.audit.erasure.holdings import Holdings
from llm_i2i_spark.audit.erasure.matching import Users
from llm_i2i_spark.audit.erasure.result import ErasedTable, Erasure
from llm_i2i_spark.audit.erasure.survey import require_local_root, survey_lake, users_of
from llm_i2i_spark.base.console import log_message
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.run_record import ERASED_ROWS, ERASED_USERS
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lake.erase_rows import drop_deleted_in_place, erase_rows
from llm_i2i_spark.lake.forgotten import FOLDER, forget_users
from llm_i2i_spark.lake.leftovers import STAGING_FOLDER
from llm_i2i_spark.lake.log_statistics import drop_statistics
from llm_i2i_spark.lake.old_versions import remove_old_versions
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.lake.unfinished_work import INFERENCE_FOLDER

STAGE = "forget"
"""The stage of the run records: none of the pipeline's."""


def erase_users(
    lake: Lake,
    config: Config,
    ids: Sequence[str],
    run_id: str,
    sources: Sequence[str] = (),
    purge: bool = False,
) -> Erasure:
    """Forget some users, and look again afterwards.

    Args:
        lake: the project's, in a folder of this machine.
        config: its settings.
        ids: of the users, as in the log.
        run_id: of the records.
        sources: paths of the raw files, or names of raw tables.
        purge: remove also the files of old versions of the tables that held them.

    Raises:
        ConfigError: the lake is not a local folder, or an id is empty.
        StageError: a table could not be written; the same call goes on from there.
    """
    before = survey_lake(config.lake, ids, sources)
    users = users_of(config.lake, ids)
    forgotten = forget_users(require_local_root(config.lake), users.ids)
    hashes = sorted(map(forgotten.hash_of, users.ids))
    log_message(f"forget: on the list {FOLDER}, so that later runs leave them out")
    erased = []
    for root, counts in _counts(before).items():
        one = Lake(lake.spark, config.lake.model_copy(update={"root": root}))
        for table, by_scope in counts.items():
            attributes = {ERASED_ROWS: by_scope, ERASED_USERS: hashes}
            pinned = PinnedRun(run_id, STAGE, reads={}, scopes=())
            kinds = TABLES[table].user_ids
            version = erase_rows(
                one,
                users.values(kinds),
                users.condition(kinds),
                pinned.record(config, table, **attributes),
            )
            rows = sum(by_scope.values())
            log_message(f"forget: {rows:,} rows deleted from {table}, now v{version}")
            erased.append(ErasedTable(root, table, rows, version))
    removed = _purge(lake, users, before) if purge else None
    after = survey_lake(config.lake, ids, sources)
    return Erasure(run_id, tuple(erased), removed, before, after)


def _counts(held: Holdings) -> dict[str, dict[str, dict[str, int]]]:
    """Rows by lake, table and scope."""
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for one in held.rows:
        by_scope = counts.setdefault(one.lake, {}).setdefault(one.table, {})
        by_scope[one.scope] = by_scope.get(one.scope, 0) + one.rows
    return counts


def _purge(lake: Lake, users: Users, before: Holdings) -> int:
    """Remove the files of old versions of the tables that held the users, and what runs that were
    ended have left; how many files that were.
    """
    folders = {folder for one in before.files for folder in Path(one.path).parents}
    removed = 0
    for folder in sorted(folder for folder in folders if _is_table(folder)):
        drop_deleted_in_place(lake.spark, str(folder))
        files = remove_old_versions(str(folder), full=True)
        files += drop_statistics(str(folder), users.are_quoted_in)
        log_message(f"forget: {files:,} files of old versions of {folder.name} removed or mended")
        removed += files
    for one in before.other_files:
        if {STAGING_FOLDER, INFERENCE_FOLDER} & set(Path(one.path).parts):
            Path(one.path).unlink(missing_ok=True)
            removed += 1
    return removed


def _is_table(folder: Path) -> bool:
    return folder.name in TABLES and (folder / "_delta_log").is_dir()
