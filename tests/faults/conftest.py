"""Which tests of faults run, how many bits are flipped, and the tables of what became of all faults
at the end of the tests.

The marker is `faults(*ids, end=..., slow=False)`: ids as in docs/faults.md, the end that a test has
seen if it passes (see `report.ENDS`), and whether it runs only where faults alone are asked for, as
`make faults` does (`-m faults`): what takes more than a few seconds.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import pytest

from tests.faults.flips import OUTCOMES, Target, flip_bits
from tests.faults.report import PROPERTY, describe, rows_of, terminal_lines, write_report

_counts: dict[str, Counter[str]] = {}


@pytest.fixture(scope="session")
def share_of_flips() -> float:
    """Of the thousand flips of `make faults`, how many this run makes: 1 in 10 without the
    environment variable `FLIPS`.
    """
    return int(os.environ.get("FLIPS", "100")) / 1000


@pytest.fixture
def flip(share_of_flips: float) -> Callable[[Target, int], None]:
    """Flips a target's share of the thousand and fails where one ends badly."""

    def run(target: Target, of_thousand: int) -> None:
        counts, bad = flip_bits(target, max(4, round(of_thousand * share_of_flips)), seed=1)
        _counts[target.name] = counts
        assert not bad, "\n".join(bad)

    return run


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each test's reports the ids of its faults, and leave the slow ones to `make faults`."""
    for item in items:
        for mark in item.iter_markers("faults"):
            faults, end = describe(mark)
            if faults and PROPERTY not in dict(item.user_properties):
                item.user_properties.append((PROPERTY, (faults, end)))
            if mark.kwargs.get("slow") and not _faults_alone(config):
                item.add_marker(pytest.mark.skip(reason="make faults runs it (pytest -m faults)"))


def _faults_alone(config: pytest.Config) -> bool:
    return bool(config.option.markexpr == "faults")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A row a test, then a row a target of bit flips, and all flips together."""
    reports = (one for kind in terminalreporter.stats.values() for one in kind)
    rows = rows_of(one for one in reports if isinstance(one, pytest.TestReport))
    if rows:
        terminalreporter.write_sep("=", "faults")
        for line in terminal_lines(rows):
            terminalreporter.write_line(line)
    if rows and _faults_alone(terminalreporter.config):
        write_report(rows, terminalreporter.config.rootpath / "build")
    if _counts:
        _show_flips(terminalreporter)


def _show_flips(terminalreporter: pytest.TerminalReporter) -> None:
    rows = {**_counts, "all": sum(_counts.values(), Counter())}
    terminalreporter.write_sep("=", "bit flips")
    terminalreporter.write_line(f"{'':36}{'flips':>7}" + "".join(f"{one:>12}" for one in OUTCOMES))
    for name, counts in rows.items():
        cells = "".join(f"{counts[one]:>12}" for one in OUTCOMES)
        terminalreporter.write_line(f"{name:36}{counts.total():>7}{cells}")
