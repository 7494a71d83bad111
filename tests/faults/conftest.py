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
from tests.faults.kills import REPEATED, Kill, KilledLake
from tests.faults.report import PROPERTY, describe, rows_of, terminal_lines, write_report

_counts: dict[str, Counter[str]] = {}
_kills: list[Kill] = []
OUTCOMES_OF_KILLS = ("driver killed", "typed error", "bad")


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


@pytest.fixture
def note_kills() -> Callable[[KilledLake], None]:
    """Has the kills of a lake in the table at the end."""
    return lambda lake: _kills.extend(lake.kills)


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
    if _kills:
        _show_kills(terminalreporter)


def _show_flips(terminalreporter: pytest.TerminalReporter) -> None:
    rows = {**_counts, "all": sum(_counts.values(), Counter())}
    terminalreporter.write_sep("=", "bit flips")
    terminalreporter.write_line(f"{'':36}{'flips':>7}" + "".join(f"{one:>12}" for one in OUTCOMES))
    for name, counts in rows.items():
        cells = "".join(f"{counts[one]:>12}" for one in OUTCOMES)
        terminalreporter.write_line(f"{name:36}{counts.total():>7}{cells}")


def _show_kills(terminalreporter: pytest.TerminalReporter) -> None:
    """How the killed starts ended, how long they took, and the most that a kill let be repeated."""
    by_phase = {phase: [one for one in _kills if one.phase == phase] for phase in _phases()}
    terminalreporter.write_sep("=", "kills")
    titles = (
        "kills",
        *OUTCOMES_OF_KILLS,
        "seconds",
        *(f"{one} again" for one in REPEATED.values()),
    )
    terminalreporter.write_line(f"{'':26}" + "".join(f"{one:>15}" for one in titles))
    for phase, kills in {**by_phase, "all": _kills}.items():
        outcomes = Counter(kill.outcome for kill in kills)
        cells = [len(kills), *(outcomes[one] for one in OUTCOMES_OF_KILLS)]
        cells.append(round(sum(kill.start.seconds for kill in kills)))
        cells += [sum(kill.repeated[one] for kill in kills) for one in REPEATED]
        terminalreporter.write_line(f"{phase:26}" + "".join(f"{one:>15,}" for one in cells))


def _phases() -> list[str]:
    return sorted({kill.phase for kill in _kills})
