"""The features of a pair, one by one."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.kernels.mixture import MixedLists
from llm_i2i_spark.kernels.pair_features import (
    DAYS,
    LEAST,
    CatalogueArrays,
    feature_names,
    pair_features,
)

SIZE = 5
known = st.tuples(
    st.integers(0, 1000), st.integers(-1, 1), st.integers(-1, 1), st.floats(0, 20_000, width=32)
)
entry = st.tuples(
    st.integers(0, SIZE - 1), st.floats(0, 1), st.tuples(st.floats(0, 1), st.floats(0, 1))
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(known, min_size=SIZE, max_size=SIZE),
    st.lists(st.lists(entry, max_size=4), min_size=SIZE, max_size=SIZE),
)
def test_every_feature_is_what_its_name_says(items, lists):
    flat = [(item, *one) for item, own in enumerate(lists) for one in own]
    found = pair_features(
        MixedLists(
            np.arange(SIZE, dtype=np.int32),
            np.r_[0, np.cumsum([len(own) for own in lists])].astype(np.int64),
            np.array([one[1] for one in flat], np.int32),
            np.array([one[2] for one in flat], np.float64),
            np.array([one[3] for one in flat], np.float64).reshape(-1, 2),
        ),
        CatalogueArrays(
            np.array([one[0] for one in items], np.int64),
            np.array([one[1] for one in items], np.int32),
            np.array([one[2] for one in items], np.int32),
            np.array([one[3] for one in items], np.float64),
        ),
    )
    names = feature_names(("first", "second"))
    assert found.shape == (len(flat), len(names))
    assert found.dtype == np.float32
    for row, (i, j, mixture, values) in zip(found, flat, strict=True):
        (clicks, brand, category, day), (other_clicks, other_brand, other_category, other_day) = (
            items[i],
            items[j],
        )
        apart = math.log1p(abs(other_day - day) / DAYS)
        wanted = {
            "log first": math.log(values[0] + LEAST),
            "log second": math.log(values[1] + LEAST),
            "log mixture": math.log(mixture + LEAST),
            "log clicks of the item": math.log1p(clicks),
            "log clicks of the neighbor": math.log1p(other_clicks),
            "same brand": float(brand == other_brand != -1),
            "same category": float(category == other_category != -1),
            "neighbor is later": apart if other_day > day else -apart,
            "log time apart": apart,
        }
        np.testing.assert_allclose(row, [wanted[name] for name in names], rtol=1e-5, atol=1e-6)
