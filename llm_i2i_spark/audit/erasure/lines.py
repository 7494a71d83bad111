"""What holds some users, and what became of them, as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from llm_i2i_spark.audit.erasure.holdings import Holdings
from llm_i2i_spark.audit.erasure.result import Erasure


def holdings_lines(held: Holdings) -> list[str]:
    """The plan: what would be deleted, what must be made anew, what stays where."""
    listed = "already on the list that later runs leave out"
    lines = [
        f"forget {', '.join(held.users)}: nothing is written without --yes",
        *([f"  {listed}"] if held.are_listed else []),
        "",
        f"rows to delete: {held.live_rows:,}",
        *_rows(held),
        *_models(held),
        *_stages(held),
        *_old_versions(held),
        *_other_files(held),
        *_sources(held),
    ]
    return lines


def erasure_lines(erasure: Erasure) -> list[str]:
    """What was done, and where the users still are."""
    after = erasure.after
    lines = [f"run {erasure.run_id}: forgot {', '.join(after.users)}"]
    lines += [
        f"  {one.rows:,} rows deleted from {one.table}, v{one.version}" for one in erasure.tables
    ]
    if erasure.removed_files is not None:
        lines.append(f"  {erasure.removed_files:,} files of old versions removed")
    places = [*_old_versions(after), *_other_files(after), *_sources(after)]
    lines += ["", f"rows in the tables now: {after.live_rows:,}", *_rows(after)]
    lines += places or ["found nowhere else: no version, no file of the lake, no raw file"]
    lines += [*_models(after), *_stages(after)]
    return lines


def _rows(held: Holdings) -> Iterator[str]:
    for one in held.rows:
        where = f" [{one.scope}]" if one.scope else ""
        kind = f" ({one.source})" if one.source else ""
        yield f"  {one.table}{where}: {one.rows:,}{kind}"


def _models(held: Holdings) -> Iterator[str]:
    if held.models:
        yield f"models trained on a log with them: {len(held.models):,}"
    for one in held.models:
        state = "in use, train it again" if one.is_live else "of an earlier version"
        path = f" in {one.path}" if one.path else ""
        yield (
            f"  {one.table} v{one.version} [{one.scope}]{path}, from interactions"
            f" v{one.interactions}: {state}"
        )


def _stages(held: Holdings) -> Iterator[str]:
    if held.stale_stages:
        yield "made from a log with them; `llm-i2i run` makes anew: " + ", ".join(held.stale_stages)


def _old_versions(held: Holdings) -> Iterator[str]:
    if held.old_files:
        yield (
            f"old versions, {len(held.old_files):,} files, until lake.retention_days and a VACUUM"
            " or at once with --purge:"
        )
    for table, versions in held.old_versions():
        files = sum(one.table == table for one in held.old_files)
        named = f"versions {_ranges(versions)}" if versions else "read by no version"
        yield f"  {table}: {files:,} files, {named}"


def _other_files(held: Holdings) -> Iterator[str]:
    if held.other_files:
        yield "other files of the lake with the id in them:"
    yield from (f"  {one.path}" for one in held.other_files)
    if held.unread:
        yield "files of the lake that cannot be looked into:"
    yield from (f"  {path}" for path in held.unread)


def _sources(held: Holdings) -> Iterator[str]:
    found = [one.path for one in held.sources if one.holds]
    unseen = [one.path for one in held.sources if one.holds is None]
    if found:
        yield "raw files with the id in them, which only their owner can clean:"
        yield from (f"  {path}" for path in found)
    if unseen:
        yield "raw tables that were not looked into:"
        yield from (f"  {path}" for path in unseen)


def _ranges(versions: tuple[int, ...]) -> str:
    """`0-3, 5`."""
    parts: list[list[int]] = []
    for version in versions:
        if parts and parts[-1][-1] == version - 1:
            parts[-1] = [parts[-1][0], version]
        else:
            parts.append([version])
    return ", ".join("-".join(map(str, part)) for part in parts)
