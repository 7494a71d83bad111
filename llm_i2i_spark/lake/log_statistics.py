"""Statistics in the log of a local table that name what is to be gone: Delta keeps the smallest and
the largest value of every file, also of files that were removed long ago.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from llm_i2i_spark.base.files import flush
from llm_i2i_spark.lake.block_checksums import checksum_file, write_block_checksums

ACTIONS = ("add", "remove", "cdc")


def drop_statistics(path: str, names: Callable[[bytes], bool]) -> int:
    """Leave the statistics out of those actions of a table's log that name something.

    They are optional by Delta's protocol, and of files that no version reads any more they serve
    nobody. Times of files stay as they are, since Delta takes them for those of the commits.

    Args:
        path: local folder of the table.
        names: whether a text is one that is to be gone.

    Returns:
        How many files of the log were changed or removed.
    """
    log = Path(path, "_delta_log")
    changed = 0
    for file in sorted(log.glob("*.json")):
        content = file.read_bytes()
        if names(content):
            lines = [_without(line) if names(line) else line for line in content.splitlines()]
            _replace(file, b"\n".join(lines) + b"\n")
            changed += 1
    # What Delta only keeps so that it need not be computed again: the state by version, and, where
    # every commit is there, the checkpoints.
    spare = [file for file in log.glob("[0-9]*.crc") if names(file.read_bytes())]
    checkpoints = list(log.glob("*.checkpoint*.parquet"))
    if Path(log, f"{0:020}.json").is_file() and checkpoints:
        spare += [*checkpoints, log / "_last_checkpoint"]
    for file in spare:
        _remove(file)
    return changed + len(spare)


def _without(line: bytes) -> bytes:
    action = json.loads(line)
    for name in ACTIONS:
        if isinstance(action.get(name), dict):
            action[name].pop("stats", None)
    return json.dumps(action, separators=(",", ":"), ensure_ascii=False).encode()


def _replace(file: Path, content: bytes) -> None:
    times = file.stat()
    beside = file.with_name(f".{file.name}.tmp")
    beside.write_bytes(content)
    os.utime(beside, ns=(times.st_atime_ns, times.st_mtime_ns))
    flush(beside)
    checksum_file(file).unlink(missing_ok=True)
    beside.replace(file)
    write_block_checksums(file)


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)
    checksum_file(file).unlink(missing_ok=True)
