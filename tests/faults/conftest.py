"""How many bits are flipped, and the table of what became of them at the end of the tests."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import pytest

from tests.faults.flips import OUTCOMES, Target, flip_bits

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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A row a target, and all together."""
    if not _counts:
        return
    rows = {**_counts, "all": sum(_counts.values(), Counter())}
    terminalreporter.write_sep("=", "bit flips")
    terminalreporter.write_line(f"{'':36}{'flips':>7}" + "".join(f"{one:>12}" for one in OUTCOMES))
    for name, counts in rows.items():
        cells = "".join(f"{counts[one]:>12}" for one in OUTCOMES)
        terminalreporter.write_line(f"{name:36}{counts.total():>7}{cells}")
