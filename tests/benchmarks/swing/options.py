"""What all benchmarks of Swing share: the parameters of the golden file, and how often and how
large.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

A1, A2, B, TOP_K = 5.0, 1.0, 0.3, 10
CAP = 1000
USERS, ITEMS = 500_000, 100_000


@dataclass(frozen=True)
class Options:
    """How to measure.

    Attributes:
        repeat: runs behind a median.
        scale: of the synthetic logs; 1 for the sizes of the goals.
        folder: for logs and results; removed at the end.
    """

    repeat: int
    scale: float
    folder: Path

    @property
    def users(self) -> int:
        """Of the synthetic log."""
        return round(USERS * self.scale)

    @property
    def items(self) -> int:
        """Of the synthetic log."""
        return round(ITEMS * self.scale)
