"""A scorer of exported indexes that shares no code with the evaluation kit:

    python -m tests.benchmarks.quality.scorer INDEX.parquet [MORE.parquet ...] --log LOG.parquet

Each user's last row of the log is to be found from the rows before it. The first index is the one
that the others are compared with.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tests.benchmarks.report import report_plain

DECAY = 0.6
"""The default of `index.decay`, written down again: nothing of the package is imported."""
RECENT = 10
DRAWS = 1000

Index = Mapping[str, dict[str, float]]


class Query(NamedTuple):
    """A history, oldest first, and the item to find."""

    history: Sequence[str]
    target: str


class Ranks(NamedTuple):
    """Ranks of the targets, from 1; infinite where a target is not among the suggestions.

    Attributes:
        best: (queries,) where ties are broken in favour of the target.
        worst: (queries,) where they are broken against it.
    """

    best: NDArray[np.float64]
    worst: NDArray[np.float64]

    def recall(self, k: int) -> NDArray[np.float64]:
        """(queries,) chance that the target is among the first k, ties in random order."""
        found = np.isfinite(self.best)
        share = np.zeros(len(found))
        places = self.worst[found] - self.best[found] + 1
        share[found] = np.clip((k + 1 - self.best[found]) / places, 0, 1)
        return share

    def ndcg(self, k: int) -> NDArray[np.float64]:
        """(queries,) 1 / log2(1 + rank) within the first k, else 0; the mean over ties."""
        sums = np.concatenate([[0.0], np.cumsum(1 / np.log2(1 + np.arange(1, k + 1)))])
        found = np.isfinite(self.best)
        gains = np.zeros(len(found))
        best, worst = (ranks[found].astype(int) for ranks in (self.best, self.worst))
        among = sums[np.minimum(worst, k)] - sums[np.minimum(best - 1, k)]
        gains[found] = among / (worst - best + 1)
        return gains


def main() -> int:
    parser = argparse.ArgumentParser(prog="scorer", description=__doc__)
    parser.add_argument("index", nargs="+", type=Path)
    parser.add_argument("--log", required=True, type=Path, help="user_id, item_id, pos")
    options = parser.parse_args()
    queries = last_of_each_user(pd.read_parquet(options.log))
    first: Ranks | None = None
    for path in options.index:
        ranks = rank(read_index(path), queries)
        first = first or ranks
        report_ranks(path.stem, ranks, first)
    return 0


def last_of_each_user(log: pd.DataFrame) -> list[Query]:
    """A query a user with two rows or more."""
    log = log.sort_values(["user_id", "pos"], kind="stable")
    histories = log.astype({"item_id": str}).groupby("user_id", sort=True)["item_id"].agg(list)
    return [Query(items[:-1], items[-1]) for items in histories if len(items) > 1]


def read_index(path: Path) -> Index:
    """An exported index: by item its neighbours with their scores."""
    index: dict[str, dict[str, float]] = {}
    rows = pd.read_parquet(path, columns=["item_id", "neighbor_id", "score"])
    for item, neighbor, score in rows.itertuples(index=False):
        index.setdefault(item, {})[neighbor] = score
    return index


def rank(index: Index, queries: Sequence[Query], shown: set[str] | None = None) -> Ranks:
    """Rank each target among the summed scores of the latest items' lists.

    Args:
        index: what is asked.
        queries: what it is asked for.
        shown: items that may be suggested; None: all.
    """
    best, worst = np.full(len(queries), np.inf), np.full(len(queries), np.inf)
    for number, (history, target) in enumerate(queries):
        scores: dict[str, float] = {}
        for step, item in enumerate(reversed(history[-RECENT:])):
            for neighbor, score in index.get(item, {}).items():
                scores[neighbor] = scores.get(neighbor, 0.0) + DECAY**step * score
        for item in history:
            scores.pop(item, None)
        own = scores.get(target)
        if own is None or (shown is not None and target not in shown):
            continue
        rivals = [score for item, score in scores.items() if shown is None or item in shown]
        values = np.array(rivals)
        same = np.isclose(values, own, rtol=1e-9, atol=0)
        best[number] = 1 + np.count_nonzero((values > own) & ~same)
        worst[number] = best[number] + np.count_nonzero(same) - 1
    return Ranks(best, worst)


def report_ranks(name: str, ranks: Ranks, reference: Ranks | None = None) -> None:
    """Print recall with both orders of ties, and the gain over a reference with its interval."""
    hits = ranks.recall(10)
    numbers = {
        "queries": len(hits),
        "recall_at_1": float(ranks.recall(1).mean()),
        "recall_at_50": float(ranks.recall(50).mean()),
        "ndcg_at_10": float(ranks.ndcg(10).mean()),
        "ties_for": float((ranks.best <= 10).mean()),
        "ties_against": float((ranks.worst <= 10).mean()),
    }
    if reference is not None and reference is not ranks:
        numbers |= gain(hits, reference.recall(10))
    report_plain(name, float(hits.mean()), **numbers)


def gain(hits: NDArray[np.float64], reference: NDArray[np.float64]) -> dict[str, float]:
    """The relative gain of a mean over another's, with a paired bootstrap interval of 95 %."""
    draws = np.random.default_rng(0).integers(0, len(hits), (DRAWS, len(hits)))
    ratios = [hits[draw].mean() / max(reference[draw].mean(), 1e-12) - 1 for draw in draws]
    low, high = np.quantile(ratios, (0.025, 0.975))
    return {
        "gain": float(hits.mean() / max(reference.mean(), 1e-12) - 1),
        "gain_low": float(low),
        "gain_high": float(high),
    }


if __name__ == "__main__":
    sys.exit(main())
