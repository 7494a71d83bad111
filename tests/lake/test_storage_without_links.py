"""Commits of training jobs on storage that has no hard links, as a volume of Unity Catalog: the
kernel is asked to refuse them as such a mount does.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

COMMITS = """
import ctypes, errno, os, struct, sys

def refuse(*calls):
    # A filter of system calls: each of these ends with ENOSYS, everything else is let through.
    number, refused, allowed = (0x20, 0, 0, 0), 0x50000 | errno.ENOSYS, (6, 0, 0, 0x7FFF0000)
    tests = [line for call in calls for line in ((0x15, 0, 1, call), (6, 0, 0, refused))]
    lines = [number, *tests, allowed]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    program = struct.pack("HxxxxxxP", len(lines), ctypes.addressof(code))
    libc = ctypes.CDLL(None)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
        sys.exit("no filter")

refuse(86, 265)  # link and linkat
try:
    os.link(sys.executable, sys.argv[1] + "/linked")
except OSError as error:
    assert error.errno == errno.ENOSYS
from pathlib import Path
from tests.lake.test_table_commit import content, create_table, replace, rows, SCOPE, open_table
path = Path(sys.argv[1], "checkpoints")
(path / "_delta_log").mkdir(parents=True)
create_table(path, rows("base", "1"), SCOPE, {}, "{}")
for number in "23":
    replace(path, rows(number, number), number, table=open_table(str(path), to_commit=True))
print(sorted(content(path)), sorted(one.name for one in (path / "_delta_log").glob("*.json")))
print([one.name for one in (path / "_delta_log").glob(".*") if "inked" in one.name])
"""


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="system calls are refused by their numbers on Linux on x86-64",
)
def test_where_links_are_refused_commits_are_renamed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMITS, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    if "no filter" in done.stderr:
        pytest.skip("this system lets no process filter its own system calls")
    assert done.returncode == 0, done.stderr[-2000:]
    found, left = done.stdout.splitlines()
    versions = [f"{version:020}.json" for version in range(3)]
    assert found == f"{[('2', '2'), ('3', '3'), ('base', '1')]} {versions}"
    assert left == "[]"
