"""Files of old versions of a local table, removed at once where nobody will ask for them again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from llm_i2i_spark.lake.block_checksums import checksum_file
from llm_i2i_spark.lake.delta_rs import table_exists, table_version
from llm_i2i_spark.lake.lost_files import open_table


def remove_old_versions(path: str, keep: Sequence[int] = ()) -> None:
    """Remove the data files that neither the latest version of a table needs nor one to keep.

    For tables that no other process reads meanwhile: the time for which old versions are kept
    otherwise does not count.

    Args:
        path: local folder of the table; nothing happens where there is none.
        keep: versions that stay readable; those that the table does not have are passed over.
    """
    if not table_exists(path):
        return
    latest = table_version(path) or 0
    # Only listed by delta-rs: it commits nothing to clustered tables, and removing what no version
    # names any more is no change of the table.
    unneeded = open_table(path).vacuum(
        retention_hours=0,
        dry_run=True,
        enforce_retention_duration=False,
        keep_versions=[version for version in keep if version <= latest] or None,
    )
    for name in unneeded:
        for file in (Path(path, name), checksum_file(Path(path, name))):
            file.unlink(missing_ok=True)
