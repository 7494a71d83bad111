"""Files of old versions of a local table, removed at once where nobody will ask for them again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from llm_i2i_spark.lake.block_checksums import checksum_file
from llm_i2i_spark.lake.delta_rs import table_exists, table_version
from llm_i2i_spark.lake.lost_files import open_table


def remove_old_versions(path: str, keep: Sequence[int] = (), full: bool = False) -> int:
    """Remove the data files that neither the latest version of a table needs nor one to keep.

    For tables that no other process reads meanwhile: the time for which old versions are kept
    otherwise does not count.

    Args:
        path: local folder of the table; nothing happens where there is none.
        keep: versions that stay readable; those that the table does not have are passed over.
        full: remove also what no version ever named: files of writes that were ended, and those
            that were lost and set aside.

    Returns:
        How many files were removed.
    """
    if not table_exists(path):
        return 0
    latest = table_version(path) or 0
    # Only listed by delta-rs: it commits nothing to clustered tables, and removing what no version
    # names any more is no change of the table.
    unneeded = open_table(path).vacuum(
        retention_hours=0,
        dry_run=True,
        enforce_retention_duration=False,
        full=full,
        keep_versions=[version for version in keep if version <= latest] or None,
    )
    files = [Path(path, name) for name in unneeded]
    if full:
        files += Path(path).glob(".*.damaged")
    for file in files:
        file.unlink(missing_ok=True)
        checksum_file(file).unlink(missing_ok=True)
    return len(files)
