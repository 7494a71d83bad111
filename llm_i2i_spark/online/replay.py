"""RN and L2P of indexes before any A/B test: what their lookups would have returned to users whose
next interaction is known, the held-out one.

Nobody is exposed to anything in a replay, so the two measures mean less than online:

- RN is the number of different items that the lookup returns to a user, as a mean of the users: the
  lists of the `index.recent_items` latest clicks merged, without what the user has, cut at k where
  one is asked for. It is what the paper's words say, "items retrieved by the recall system", since
  nothing between retrieval and screen is replayed.
- The held-out interaction stands for the purchase, so every user of the replay is one "who
  purchased". `l2p` is the paper's sentence by the letter: the share to whom the lookup would have
  shown anything at all. It falls only where users have no clicks with a list, so it tells thin
  indexes from full ones and hardly any others. `l2p_item` asks that what was purchased was among
  what was shown: recall over all that is retrieved, and the reading to compare indexes by.

Either is an estimate for the users as they were: a user who had been shown other items might have
purchased others, which no replay of a log can know. CTR, CVR and GMV need an exposure and cannot be
replayed at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import ConfigError, InputDataError, require_at_least_one
from llm_i2i_spark.evaluate.compare import choose_baseline
from llm_i2i_spark.evaluate.figures import aligned, html_table
from llm_i2i_spark.evaluate.queries import Systems, rank_users, select_lists, select_queries
from llm_i2i_spark.evaluate.settings import EvaluationSettings
from llm_i2i_spark.evaluate.systems import System, system_names
from llm_i2i_spark.metrics.paired import Estimate
from llm_i2i_spark.online.comparison import difference_words, estimate_cells
from llm_i2i_spark.online.moments import Moments, ratio_of, relative_difference
from llm_i2i_spark.online.user_sums import moments_by

REPLAYED = {"rn": "retrieved", "l2p": "shown_any", "l2p_item": "shown_item"}
"""Measures -> what is counted for a user: items, and whether there are any, and the right one."""
TITLES = {
    "rn": "RN, items a user",
    "l2p": "L2P, anything shown",
    "l2p_item": "L2P, the item shown",
}
FORMATS = {"rn": ",.2f", "l2p": ".3%", "l2p_item": ".3%"}


@dataclass(frozen=True)
class ReplayFigure:
    """One measure of one system.

    Attributes:
        measure: a key of `REPLAYED`.
        system: name of the index.
        value: with its 95 % interval over users.
        difference: value / that of the baseline - 1, paired by user; None of the baseline itself.
    """

    measure: str
    system: str
    value: Estimate
    difference: Estimate | None

    @property
    def is_significant(self) -> bool:
        """Whether the interval of the difference leaves 0 out."""
        bounds = self.difference.interval if self.difference else None
        return bounds is not None and (bounds[0] > 0 or bounds[1] < 0)


@dataclass(frozen=True)
class Replay:
    """What the lookups of some indexes would have returned.

    `replay["real", "rn"]` is a `ReplayFigure`; with one system `replay["rn"]` is too.

    Attributes:
        users: whose next interaction is known.
        baseline: name of the system that differences are over.
        k: items a lookup returns at most.
        figures: by measure, then system.
    """

    users: int
    baseline: str
    k: int
    figures: tuple[ReplayFigure, ...] = field(repr=False)

    def __getitem__(self, key: str | tuple[str, str]) -> ReplayFigure:
        system, measure = key if isinstance(key, tuple) else (self.baseline, key)
        for figure in self.figures:
            if (figure.system, figure.measure) == (system, measure):
                return figure
        there = ", ".join(f"[{one.system!r}, {one.measure!r}]" for one in self.figures)
        raise ConfigError(f"The replay has no {measure} of {system}; it has {there}.")

    def lines(self) -> list[str]:
        """Aligned text, a line a measure and system, below a title."""
        return [self._title(), *aligned(self._cells())]

    def table(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines())

    def to_dict(self) -> dict[str, Any]:
        """For JSON: users, baseline, k, and the figures by system and measure."""
        systems: dict[str, dict[str, Any]] = {}
        for figure in self.figures:
            one = systems.setdefault(figure.system, {})
            one[figure.measure] = {"value": figure.value.value, "interval": figure.value.interval}
            if figure.difference:
                one[figure.measure] |= {
                    "difference": figure.difference.value,
                    "difference_interval": figure.difference.interval,
                    "significant": figure.is_significant,
                }
        return {"users": self.users, "baseline": self.baseline, "k": self.k, "systems": systems}

    def to_pandas(self) -> pd.DataFrame:
        """A row a measure and system: value and difference, each with low and high."""
        rows = []
        for figure in self.figures:
            row: dict[str, Any] = {"measure": figure.measure, "system": figure.system}
            for name, estimate in (("value", figure.value), ("difference", figure.difference)):
                low, high = (estimate and estimate.interval) or (None, None)
                row |= {name: estimate and estimate.value, f"{name}_low": low, f"{name}_high": high}
            rows.append(row)
        frame: pd.DataFrame = pd.DataFrame(rows)
        return frame

    def __str__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return html_table(self._cells(), self._title())

    def _title(self) -> str:
        return (
            f"{self.users:,} users with a held-out interaction, lookups of at most {self.k:,}"
            " items; 95 % intervals over users"
        )

    def _cells(self) -> list[tuple[str, ...]]:
        header = ("", "system", "value", "95 % interval", f"over {self.baseline}")
        rows: list[tuple[str, ...]] = [header]
        measure = ""
        for one in self.figures:
            title = "" if one.measure == measure else TITLES[one.measure]
            measure = one.measure
            value = estimate_cells(one.value, FORMATS[measure])
            rows.append(
                (title, one.system, *value, difference_words(one.difference, one.is_significant))
            )
        return rows


def replay_lookups(
    index: DataFrame,
    interactions: DataFrame,
    systems: Systems,
    settings: EvaluationSettings,
    index_size: int,
    baseline: tuple[str, str] | None = None,
    k: int | None = None,
    events: Sequence[str] | None = None,
) -> Replay:
    """Replay the lookup of every user with a held-out interaction on some indexes.

    Args:
        index: the table `item_index`.
        interactions: the table `interactions`.
        systems: (variant, backbone) pairs.
        settings: which fold is held out, and how a lookup merges its lists.
        index_size: neighbours that an item has at most.
        baseline: one of the systems; None for the first whose variant is `real`, else the first.
        k: items that a lookup returns at most; None for all that it retrieves.
        events: values of column `event` that are purchases, of held-out interactions; None for all.

    Raises:
        ConfigError: the baseline is none of the systems, or `k` is below 1.
        InputDataError: no user has such an interaction in the held-out fold.
    """
    chosen = choose_baseline(systems, baseline)
    k = settings.recent_items * index_size if k is None else k
    require_at_least_one("k", k)
    if events:
        is_query = F.col("fold") != settings.target
        interactions = interactions.where(is_query | F.col("event").isin(*events))
    queries = select_queries(
        interactions, settings.target, settings.query_folds, settings.recent_items
    )
    lists = select_lists(index, systems)
    ranked = rank_users(queries, lists, len(systems), settings.decay, k)
    counted = _count(ranked, len(systems))
    moments = moments_by(counted, counted.columns).get(None)
    if moments is None:
        what = f" with an event of {', '.join(events)}" if events else ""
        raise InputDataError(
            f"No user has an interaction{what} in fold {settings.target}, so there is nothing to"
            " replay."
        )
    names = system_names(systems)
    order = [list(systems).index(system) for system in names]
    figures = _figures(moments, order, list(systems).index(chosen), list(names.values()))
    return Replay(moments.users, names[System(*chosen)], k, tuple(figures))


def _count(ranked: DataFrame, n_systems: int) -> DataFrame:
    """A row a user with three doubles a system, so that differences are paired by user."""
    shown = F.struct(
        "system",
        F.size("recommended").alias("retrieved"),
        (F.size("recommended") > 0).alias("shown_any"),
        F.array_contains("recommended", F.col("target")).alias("shown_item"),
    )
    users = ranked.groupBy("user_id").agg(F.sort_array(F.collect_list(shown)).alias("of"))
    return users.select(
        *(
            F.col("of")[system][name].cast("double").alias(f"{name}_{system}")
            for system in range(n_systems)
            for name in REPLAYED.values()
        )
    )


def _figures(
    moments: Moments, order: Sequence[int], baseline: int, names: Sequence[str]
) -> list[ReplayFigure]:
    found = []
    for place, measure in enumerate(REPLAYED):
        theirs = ratio_of(moments, baseline * len(REPLAYED) + place)
        for system, name in zip(order, names, strict=True):
            ours = ratio_of(moments, system * len(REPLAYED) + place)
            assert ours is not None  # divided by the number of users
            assert theirs is not None
            over = None if system == baseline else relative_difference(ours, theirs)
            value = ours.estimate if measure == "rn" else ours.share_estimate
            found.append(ReplayFigure(measure, name, value, over))
    return found
