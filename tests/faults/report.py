"""What became of the faults: a row a test that carries the id of one, for the terminal and for
`build/faults.json` and `build/faults.md`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

ENDS = {
    "same": "the result without the fault",
    "error": "an error in one sentence, what was committed before is readable",
    "either": "the one or the other",
}
"""How a test may say that its fault ends: what it holds, if it passes."""
COUNTS = ("retries", "rows again")
"""What a test may count, with `record_property`."""
PROPERTY = "fault"


@dataclass
class Row:
    """All cases of one test.

    Attributes:
        faults: ids, as in docs/faults.md.
        test: file and name.
        cases: how many passed, failed or were skipped.
        end: a key of `ENDS`, "skipped", or "BAD" where a case failed.
        seconds: of all cases, with what they set up.
        counts: by name, of those in `COUNTS` that the test records.
    """

    faults: tuple[str, ...]
    test: str
    cases: int
    end: str
    seconds: float
    counts: dict[str, int]

    def cells(self) -> tuple[str, ...]:
        """The row as texts."""
        counts = (str(self.counts.get(name, "")) for name in COUNTS)
        return (
            ", ".join(self.faults),
            self.test,
            str(self.cases),
            self.end,
            f"{self.seconds:.1f}",
            *counts,
        )


HEAD = ("fault", "test", "cases", "end", "seconds", *COUNTS)


def describe(mark: pytest.Mark) -> tuple[tuple[str, ...], str]:
    """The ids and the end that a marker `faults` names.

    Raises:
        pytest.UsageError: there is an id and no end that is known.
    """
    end = mark.kwargs.get("end", "")
    if mark.args and end not in ENDS:
        raise pytest.UsageError(f"faults{mark.args} needs end= one of {', '.join(ENDS)}")
    return mark.args, end


def rows_of(reports: Iterable[pytest.TestReport]) -> list[Row]:
    """A row a test, in the order of the faults' numbers.

    Args:
        reports: of all phases of all tests; those without a fault's id are left out.
    """
    rows: dict[str, Row] = {}
    for report in reports:
        known: dict[str, Any] = dict(report.user_properties)
        if PROPERTY not in known:
            continue
        faults, end = known[PROPERTY]
        name = report.nodeid.partition("[")[0].removeprefix("tests/")
        row = rows.setdefault(name, Row(tuple(faults), name, 0, end, 0.0, {}))
        row.seconds += report.duration
        last = report.when == "call" or not report.passed
        row.cases += last
        if report.failed:
            row.end = "BAD"
        elif report.skipped and row.cases == 1:
            row.end = "skipped"
        if last:
            for count in COUNTS & known.keys():
                row.counts[count] = row.counts.get(count, 0) + known[count]
    ended = (row for row in rows.values() if row.cases)
    return sorted(ended, key=lambda row: (int(row.faults[0][1:]), row.test))


def terminal_lines(rows: list[Row]) -> list[str]:
    """The rows in columns."""
    cells = [HEAD, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]


def write_report(rows: list[Row], folder: Path) -> None:
    """Write the rows as `faults.json` and `faults.md`."""
    folder.mkdir(exist_ok=True)
    (folder / "faults.json").write_text(json.dumps([asdict(row) for row in rows], indent=1))
    lines = [HEAD, ("---",) * len(HEAD), *(row.cells() for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    ends = "\n".join(f"- `{name}`: {words}" for name, words in ENDS.items())
    (folder / "faults.md").write_text(f"# Faults and their ends\n\n{table}\n\n{ends}\n")
