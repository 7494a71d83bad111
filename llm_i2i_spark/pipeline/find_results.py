"""Where the history of a table holds a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llm_i2i_spark.base.contract import Scope
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.fingerprint import Ingredients
from llm_i2i_spark.base.run_record import LOST_FILES, Commit, commit_of, fingerprint_in


def find_result(history: Sequence[Commit], table: str, ingredients: Ingredients) -> Commit | None:
    """The commit that holds exactly this result, as the latest version of the table stands.

    Rows of an append table are never replaced, so there it may be any commit.
    """
    contract = TABLES[table]
    scope = contract.scope_of(ingredients.scope)
    if not contract.append:
        holds = fingerprint_in(history, scope) == ingredients.fingerprint
        return commit_of(history, scope) if holds else None
    for commit in history:
        if commit.record is None:
            continue
        result = commit.record.result(scope)
        if result is not None and result.fingerprint == ingredients.fingerprint:
            return commit
        if LOST_FILES in commit.record.attributes:
            return None  # rows of older commits may have been in those files
    return None


def find_version(
    history: Sequence[Commit], expected: Mapping[str, str], scopes: Mapping[str, Scope]
) -> int | None:
    """The latest version of a table that holds exactly some results, whatever was written since.

    Args:
        history: of the table, latest first.
        expected: fingerprints by the name of the result.
        scopes: by the name of the result.

    Returns:
        None where no version holds all of them.
    """
    for commit in history:
        version = commit.version
        if all(fingerprint_in(history, scopes[one], version) == expected[one] for one in scopes):
            return version
    return None
