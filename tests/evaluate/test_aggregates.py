"""What Spark counted, read into arrays."""

from __future__ import annotations

import pandas as pd

from llm_i2i_spark.evaluate.aggregates import read_exposure, read_index, read_rank_groups
from llm_i2i_spark.evaluate.slices import SLICES, USER_SLICES
from llm_i2i_spark.metrics.counts import ExposureCounts, IndexCounts, PopularityCounts

KINDS = ["bucket", "long_tail", "long_tail_train"]


def test_exposure_is_read_from_both_groupings() -> None:
    none = float("nan")
    counted = pd.DataFrame(
        [(0, 5, none, 2, 1, 2), (0, 5, none, 0, 3, 0), (0, 5, 1, none, 4, 2)],
        columns=["system", "k", "seen", "exposure", "items", "shown"],
    )
    found = read_exposure(counted)
    assert found.keys() == {(ExposureCounts, 0, "all", 5), (PopularityCounts, 0, "all", 5)}
    exposure, popularity = found.values()
    assert (exposure.times.tolist(), exposure.items.tolist()) == ([0, 2], [3, 1])
    assert (popularity.seen.tolist(), popularity.recommended.tolist()) == ([1], [2])
    assert popularity.n_items == 4


def test_counts_of_an_index_add_up_by_slice() -> None:
    counted = pd.DataFrame(
        [(0, 0, True, True, 2, 0, 0, 0, 0), (0, 5, False, False, 2, 2, 10, 8, 4_000_000)],
        columns=["system", *KINDS, "items", "filled", "neighbors", "known", "share"],
    )
    found = {part: counts for (_, _, part, _), counts in read_index(counted).items()}
    assert found["all"] == IndexCounts(4, 2, 10, 8, 4.0)
    assert found["long_tail"] == IndexCounts(2, 0, 0, 0, 0.0)
    assert found["head"] == IndexCounts(2, 2, 10, 8, 4.0)
    assert "seen_1_4" not in found


def test_groups_stand_in_an_order_of_their_own() -> None:
    rows = [
        (5, False, False, 1, [0, -1], [1, 0], 7),
        (1, True, True, 2, [0, 3], [1, 2], 2),
        (5, False, False, 1, [-1, -1], [0, 0], 4),
        (5, False, False, 3, [-1, -1], [0, 0], 5),
    ]
    columns = [*KINDS, "history", "better", "ties", "users"]
    once = read_rank_groups(pd.DataFrame(rows, columns=columns), 2)
    again = read_rank_groups(pd.DataFrame(rows[::-1], columns=columns), 2)
    for name in ("better", "ties", "users", "member"):
        assert getattr(once, name).tolist() == getattr(again, name).tolist()
    assert dict(zip(once.users.tolist(), once.better.tolist(), strict=True)) == {
        7: [0, -1],
        2: [0, 3],
        4: [-1, -1],
        5: [-1, -1],
    }
    of_slice = dict(zip(SLICES, once.member.T @ once.users, strict=True))
    assert (of_slice["all"], of_slice["long_tail"]) == (18, 2)
    assert [of_slice[name] for name in USER_SLICES] == [0, 11, 2, 5, 0, 0]
