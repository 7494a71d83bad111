"""The table of faults names every test that carries the id of one."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MARK = re.compile(r"mark\.faults\(((?:\"F\d+\", )+)end=")


def listed() -> dict[str, set[str]]:
    """By fault, the files that docs/faults.md names."""
    found, faults = defaultdict(set), []
    for line in (ROOT / "docs" / "faults.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) < 5 or not re.fullmatch(r"|F\d+(, F\d+)*", cells[1]):
            continue
        faults = cells[1].split(", ") if cells[1] else faults
        for fault in faults:
            found[fault] |= set(re.findall(r"`([\w/]+\.py)`", cells[4]))
    return found


def test_the_table_has_every_fault_and_every_test_that_carries_its_id() -> None:
    table = listed()
    assert sorted(table, key=lambda one: int(one[1:])) == [f"F{n}" for n in range(1, 27)]
    for name in set().union(*table.values()):
        assert (ROOT / "tests" / name).is_file(), name
    carrying = 0
    for path in (ROOT / "tests").rglob("test_*.py"):
        for marked in MARK.findall(path.read_text()):
            for fault in re.findall(r"F\d+", marked):
                assert str(path.relative_to(ROOT / "tests")) in table[fault], (fault, path)
                carrying += 1
    assert carrying > 40
