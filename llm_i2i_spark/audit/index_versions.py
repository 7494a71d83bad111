"""Which version of the index a number or a run means."""

from __future__ import annotations

from collections.abc import Sequence

from llm_i2i_spark.base.errors import ConfigError, TableNotFoundError
from llm_i2i_spark.base.run_record import Commit


def find_index_version(history: Sequence[Commit], name: str | int) -> int:
    """The version of `item_index` that a number or a run means.

    Args:
        history: of the table, latest first.
        name: a version, or the id of a run, of which the last commit counts.

    Raises:
        TableNotFoundError: the table is not there, or has no such version.
        ConfigError: the run is unknown, or wrote no index.
    """
    if not history:
        raise TableNotFoundError("There is no table item_index yet; run stage index first.")
    if str(name).isdecimal():
        version, latest = int(name), history[0].version
        if version > latest:
            raise TableNotFoundError(
                f"There is no version {version} of item_index, the latest is {latest};"
                " `llm-i2i audit runs` lists what each run wrote."
            )
        return version
    for commit in history:
        if commit.record is not None and commit.record.run_id == name:
            return commit.version
    raise ConfigError(
        f"No run {name} wrote item_index; `llm-i2i audit runs` lists the runs and what each wrote."
    )


def choose_versions(
    history: Sequence[Commit], before: str | int | None, after: str | int | None
) -> tuple[int, int]:
    """The two versions of `item_index` to compare.

    Args:
        history: of the table, latest first.
        before: a version or a run; None for the one that was written before `after`.
        after: likewise; None for the latest.

    Raises:
        UserError: as `find_index_version`, or nothing was written before.
    """
    latest = history[0].version if history else 0
    later = find_index_version(history, latest if after is None else after)
    if before is not None:
        return find_index_version(history, before), later
    written = [one.version for one in history if one.changes_rows and one.version <= later]
    if len(written) < 2:
        raise TableNotFoundError(
            f"Nothing was written to item_index before version {later}, so there is nothing to"
            " compare it with; run: llm-i2i run --config FILE"
        )
    return written[1], later
