"""Weighted sums of lists against dictionaries of Python."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.kernels.list_product import sum_lists

eighths = st.integers(1, 8).map(lambda n: n / 8)
some_list = st.dictionaries(st.integers(0, 6), eighths, max_size=5)
by_row = st.dictionaries(
    st.integers(0, 6), st.lists(st.tuples(eighths, some_list), min_size=1, max_size=4), max_size=4
)


@settings(max_examples=200, deadline=None)
@given(by_row, st.integers(1, 4))
def test_a_row_is_the_weighted_sum_of_its_lists_without_its_own_item(lists, top_k):
    flat = [(row, weight, one) for row, own in lists.items() for weight, one in own]
    items, indptr, neighbors, values = sum_lists(
        np.array([row for row, _, _ in flat], np.int32),
        np.array([weight for _, weight, _ in flat], np.float64),
        np.r_[0, np.cumsum([len(one) for _, _, one in flat])].astype(np.int64),
        np.array([item for _, _, one in flat for item in one], np.int32),
        np.array([value for _, _, one in flat for value in one.values()], np.float64),
        top_k,
    )
    assert items.tolist() == list(lists)
    assert len(indptr) == len(lists) + 1
    for position, (row, own) in enumerate(lists.items()):
        sums: dict[int, float] = {}
        for weight, one in own:
            for item, value in one.items():
                if item != row:
                    sums[item] = sums.get(item, 0.0) + weight * value
        ranked = sorted((-value, item) for item, value in sums.items())[:top_k]
        total = sum(-value for value, _ in ranked)
        part = slice(*indptr[position : position + 2])
        assert neighbors[part].tolist() == [item for _, item in ranked]
        assert values[part].tolist() == [-value / total for value, _ in ranked]
