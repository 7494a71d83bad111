"""A result or a commit of one's own, looked for in the history of its table."""

from __future__ import annotations

from collections.abc import Sequence

from llm_i2i_spark.base import errors
from llm_i2i_spark.base.contract import scope_of
from llm_i2i_spark.base.run_record import Commit, RunRecord, commit_of

RECENT = 100
"""Commits among which one that was just made is looked for."""


def version_of(history: Sequence[Commit], record: RunRecord) -> int:
    """The version that a commit with this very record made, whatever was committed since.

    Raises:
        StageError: the history has no such commit.
    """
    written = record.to_json()
    for commit in history:
        if commit.record is not None and commit.record.to_json() == written:
            return commit.version
    raise errors.StageError(
        f"Stage {record.stage} wrote {record.table}, and the table's history does not show it;"
        " another program is writing this lake: start the run again when it has ended."
    )


def holds_results(history: Sequence[Commit], record: RunRecord) -> bool:
    """Whether the latest rows of all scopes of a record are the very results that it names.

    Args:
        history: the commits of the record's table, latest first.
        record: who asks, for what.
    """
    return bool(history) and all(_is_there(history, key, record) for key in record.scopes)


def _is_there(history: Sequence[Commit], key: str, record: RunRecord) -> bool:
    commit = commit_of(history, scope_of(key))
    found = commit.record.scopes.get(key) if commit and commit.record else None
    return found is not None and found.fingerprint == record.scopes[key].fingerprint
