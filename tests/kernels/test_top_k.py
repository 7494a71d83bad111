"""One selection of the best for every kernel: the head of a full sort, by insertion and by heap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.kernels.top_k import SHORT_LIST, allocate_top_k, select_top_k


@pytest.mark.parametrize("dtype", [np.uint32, np.int64])
@settings(max_examples=100, deadline=None)
@given(
    scores=st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(-1, 1), max_size=90),
    k=st.sampled_from([0, 1, 3, SHORT_LIST, SHORT_LIST + 1, 60]),
    seed=st.integers(0, 99),
)
def test_the_selection_is_the_head_of_score_then_item(dtype, scores, k, seed):
    items = np.random.default_rng(seed).permutation(len(scores)).astype(dtype)
    best = allocate_top_k(k)
    n = select_top_k(np.array(scores, float), items, best)
    ordered = sorted(range(len(scores)), key=lambda position: (-scores[position], items[position]))
    assert best.positions[:n].tolist() == ordered[:k]
    assert best.scores[:n].tolist() == [scores[position] for position in ordered[:k]]
