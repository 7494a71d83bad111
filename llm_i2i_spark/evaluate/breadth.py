"""Beyond accuracy: how much of the catalogue is shown, how evenly, how far from the obvious; and
how full the index is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from llm_i2i_spark.evaluate.accuracy import Identity, MetricRow
from llm_i2i_spark.evaluate.outcomes import SLICES, slice_members
from llm_i2i_spark.evaluate.transform import SHARE_UNIT
from llm_i2i_spark.kernels.ranking import Ints


def gini(times: Ints, items: Ints) -> float:
    """The Gini coefficient of exposure: 0 where all items are shown equally often, near 1 where few
    get everything.

    G = 1 - sum over items in rising order of (S_before + S_after) / (n * S), S the running sum of
    exposures: one less twice the area under the Lorenz curve (Gini 1912).

    Args:
        times: (classes,) how often an item of the class was shown; distinct.
        items: (classes,) how many items the class has.
    """
    order = np.argsort(times)
    count, shown = items[order].astype(float), times[order].astype(float)
    total = float((count * shown).sum())
    if total == 0:
        return 0.0
    after = np.cumsum(count * shown)
    before = after - count * shown
    # Within a class the running sum grows by equal steps, so its mean is the middle.
    return float(1 - (count * (before + after)).sum() / (count.sum() * total))


def novelty(seen: Ints, shown: Ints, items: Ints) -> float:
    """Mean self-information of the recommended items in bits: -log2 p(item), p = (seen + 1) / (all
    seen + catalogue).

    Popularity is what the models have seen, plus one so that an unseen item is finite (Vargas and
    Castells 2011).

    Args:
        seen: (classes,) interactions with an item of the class.
        shown: (classes,) recommendations that fell on the class.
        items: (classes,) catalogue items of the class.
    """
    total = int(shown.sum())
    if total == 0:
        return 0.0
    chance = (seen + 1) / float((seen * items).sum() + items.sum())
    return float((shown * -np.log2(chance)).sum() / total)


def breadth_rows(
    exposure: pd.DataFrame, series: Sequence[tuple[str, str]], identity: Identity
) -> list[MetricRow]:
    """`coverage` (share of the catalogue shown to anyone), `gini` and `novelty` of the first k
    recommendations.

    Args:
        exposure: from `transform.count_exposure`: series, k, seen, exposure, items, shown.
        series: (variant, backbone) by place.
        identity: columns that all rows share.
    """
    rows: list[MetricRow] = []
    cuts = sorted(set(exposure["k"].tolist()))
    for place, k in ((place, k) for place in range(len(series)) for k in cuts):
        variant, backbone = series[place]
        part = exposure[(exposure["series"] == place) & (exposure["k"] == k)]
        even = part[part["seen"].isna()].sort_values("exposure")
        known = part[part["exposure"].isna()].sort_values("seen")
        times, items = even["exposure"].to_numpy(np.int64), even["items"].to_numpy(np.int64)
        seen, shown = known["seen"].to_numpy(np.int64), known["shown"].to_numpy(np.int64)
        catalogue = int(items.sum())
        found = {
            "coverage": float(items[times > 0].sum() / catalogue),
            "gini": gini(times, items),
            "novelty": novelty(seen, shown, known["items"].to_numpy(np.int64)),
        }
        rows += [
            _row(identity, variant, backbone, "all", name, k, value, catalogue)
            for name, value in found.items()
        ]
    return rows


def index_rows(
    held: pd.DataFrame, series: Sequence[tuple[str, str]], identity: Identity
) -> list[MetricRow]:
    """`fill_rate` (share of items with a neighbour), `list_length` (mean over all items) and
    `synthetic_share` of the neighbours (mean), for all items and each slice of them.

    Args:
        held: from `transform.count_index`.
        series: (variant, backbone) by place.
        identity: columns that all rows share.
    """
    rows: list[MetricRow] = []
    for place, (variant, backbone) in enumerate(series):
        part = held[held["series"] == place]
        member = slice_members(
            part["bucket"].to_numpy(np.int64),
            part["long_tail"].to_numpy(bool),
            part["long_tail_train"].to_numpy(bool),
        )
        sums = member.T @ part[["items", "filled", "neighbors", "share"]].to_numpy(np.int64)
        for name, (items, filled, neighbors, share) in zip(SLICES, sums.tolist(), strict=True):
            if not items:
                continue
            rows.append(
                _row(identity, variant, backbone, name, "fill_rate", 0, filled / items, items)
            )
            rows.append(
                _row(identity, variant, backbone, name, "list_length", 0, neighbors / items, items)
            )
            mean = share / SHARE_UNIT / neighbors if neighbors else 0.0
            rows.append(
                _row(identity, variant, backbone, name, "synthetic_share", 0, mean, neighbors)
            )
    return rows


def _row(
    identity: Identity,
    variant: str,
    backbone: str,
    part: str,
    name: str,
    k: int,
    value: float,
    n: int,
) -> MetricRow:
    return {
        **identity,
        "variant": variant,
        "backbone": backbone,
        "slice": part,
        "name": name,
        "k": k,
        "value": value,
        "ci_low": None,
        "ci_high": None,
        "n": n,
    }
