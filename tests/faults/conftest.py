"""How many bits are flipped, and the table of what became of them at the end of the tests."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import pytest

from tests.faults.flips import OUTCOMES, Target, flip_bits
from tests.faults.kills import REPEATED, Kill, KilledLake

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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A row a target of bit flips, and all together; a row a phase of kills, and all together."""
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
