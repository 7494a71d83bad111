"""A table as it was at a version, under another folder, without a copy of its data: the log up to
that version, and hard links to its files. No Spark.

Delta never changes a data file, so nothing that is done to the one reaches the other.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from llm_i2i_spark.lake.delta_files import file_name
from llm_i2i_spark.lake.lost_files import open_table


def link_version(path: str, target: str, version: int) -> None:
    """Make a table whose latest version is a former one of another table.

    Args:
        path: local folder of the other table.
        target: folder to make; where it lies on another file system, data files are copied.
        version: of the other table.

    Raises:
        TableNotFoundError: the log no longer has the version.
        OSError: a file is gone, or the folder cannot be written to.
    """
    names = list(map(file_name, open_table(path, version).file_uris()))
    names += [one.name for one in Path(path).glob("deletion_vector*")]
    log = Path(target, "_delta_log")
    log.mkdir(parents=True)
    for file in _log_files(Path(path, "_delta_log"), version):
        shutil.copyfile(file, log / file.name)
    for name in names:
        _link(Path(path, name), Path(target, name))


def _log_files(log: Path, version: int) -> Iterator[Path]:
    """Commits and checkpoints up to a version; without the pointer to a checkpoint, which may be
    of a later one.
    """
    for file in log.iterdir():
        number, _, kind = file.name.partition(".")
        is_part = kind == "json" or kind.startswith("checkpoint")
        if number.isdecimal() and is_part and int(number) <= version:
            yield file


def _link(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)  # another file system, or one without links
