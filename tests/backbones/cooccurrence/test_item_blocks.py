"""Items to blocks: every item has one, and the work of the blocks is nearly even whatever the
popularity skew.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from llm_i2i_spark.backbones.cooccurrence.item_blocks import (
    assign_balanced,
    item_work,
    share_of_work,
)


def zipf(items: int, clicks: int, exponent=0.9) -> np.ndarray:
    """Clicks of each item, most popular ones at any index."""
    shares = np.arange(1, items + 1) ** -exponent
    counts = np.maximum(shares / shares.sum() * clicks, 1).astype(np.int64)
    return np.random.default_rng(0).permutation(counts)


def loads(clicks: np.ndarray, blocks: int, cap: int | None = None) -> np.ndarray:
    """The work of each block."""
    return np.bincount(
        assign_balanced(clicks, blocks, cap), weights=item_work(clicks, cap), minlength=blocks
    )


@settings(max_examples=100, deadline=None)
@given(
    arrays(np.int64, st.integers(0, 60), elements=st.integers(1, 1000)),
    st.integers(1, 20),
    st.none() | st.integers(2, 50),
)
def test_every_item_has_one_of_the_blocks(clicks, blocks, cap):
    block_of_item = assign_balanced(clicks, blocks, cap)
    assert block_of_item.dtype == np.uint16
    assert len(block_of_item) == len(clicks)
    assert (block_of_item < blocks).all()
    assert len(np.unique(block_of_item)) == min(blocks, len(clicks))


@pytest.mark.parametrize("blocks", [2, 16, 64, 400])
def test_work_is_nearly_even_on_a_zipf_catalogue(blocks):
    work = loads(zipf(items=100_000, clicks=7_100_000), blocks, cap=1000)
    assert work.max() < 1.05 * work.mean()
    assert work.min() > 0.95 * work.mean()


@settings(max_examples=100, deadline=None)
@given(arrays(np.int64, st.integers(1, 60), elements=st.integers(0, 10**6)), st.integers(1, 20))
def test_no_block_has_more_than_an_even_share_and_its_hottest_item(clicks, blocks):
    work, hottest = loads(clicks, blocks), item_work(clicks).max()
    assert work.max() <= work.mean() + hottest + 1e-12


@pytest.mark.parametrize("blocks", [2, 3, 16, 64])
def test_a_hot_item_does_not_double_its_block(blocks):
    clicks = np.full(50_000, 140)
    clicks[123] = clicks.sum() // 100  # 1 % of all
    work, alone = loads(clicks, blocks), item_work(clicks)[123]
    assert work.argmax() == assign_balanced(clicks, blocks)[123]
    assert work.max() < 1.5 * max(alone, work.mean())


def test_hot_items_start_first():
    clicks = zipf(items=1000, clicks=100_000)
    assert assign_balanced(clicks, 7)[np.argsort(-clicks, kind="stable")[:7]].tolist() == [
        0,
        1,
        2,
        3,
        4,
        5,
        6,
    ]


def test_shares_of_work_add_up_to_the_whole():
    clicks, wanted = zipf(items=500, clicks=9000), np.random.default_rng(1).random(500) < 0.3
    assert share_of_work(clicks, np.ones(500, bool)) == pytest.approx(1)
    assert share_of_work(clicks, wanted, 20) + share_of_work(clicks, ~wanted, 20) == pytest.approx(
        1
    )
    assert share_of_work(np.zeros(3, np.int64), np.ones(3, bool)) == 0
