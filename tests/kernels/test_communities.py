"""Items that are clicked together share a block, and no block has too much."""

from __future__ import annotations

import numpy as np
import pytest

from llm_i2i_spark.kernels.communities import SLACK, assign_communities
from llm_i2i_spark.kernels.csr import UserCsr
from llm_i2i_spark.kernels.edge_format import ITEM_SHIFT, NO_BLOCK
from tests.kernels.plain_csr import to_csr

N_ITEMS, SHOPS = 60, 3


def shop_of(item: int) -> int:
    return item % SHOPS


def shops(users: int, strays: float) -> UserCsr:
    """Users of three shops; so large a share of their clicks is anywhere."""
    draw = np.random.default_rng(1)
    lists = []
    for user in range(users):
        own = np.flatnonzero([shop_of(item) == user % SHOPS for item in range(N_ITEMS)])
        clicked = {
            int(draw.integers(N_ITEMS)) if draw.random() < strays else int(draw.choice(own))
            for _ in range(8)
        }
        if len(clicked) > 1:
            lists.append((user, [item << ITEM_SHIFT for item in sorted(clicked)], []))
    return to_csr(lists)


@pytest.mark.parametrize(("strays", "together"), [(0.0, 1.0), (0.15, 0.9)])
def test_shops_are_found_whatever_the_order_of_their_ids(strays, together):
    work, order = np.full(N_ITEMS, 1 / N_ITEMS), np.arange(N_ITEMS)
    block_of_item = assign_communities(shops(400, strays), work, order, SHOPS)
    largest = [np.bincount(block_of_item[shop::SHOPS], minlength=SHOPS) for shop in range(SHOPS)]
    assert sorted(int(counts.argmax()) for counts in largest) == list(range(SHOPS))
    assert min(counts.max() for counts in largest) >= together * N_ITEMS / SHOPS


@pytest.mark.parametrize("blocks", [2, 5, 7])
def test_no_block_outgrows_its_share(blocks):
    work = np.arange(1, N_ITEMS + 1) / (N_ITEMS * (N_ITEMS + 1) / 2)
    block_of_item = assign_communities(shops(200, 0.1), work, np.argsort(-work), blocks)
    assert (
        np.bincount(block_of_item, weights=work, minlength=blocks).max()
        <= SLACK / blocks + work.max()
    )


def test_items_without_users_are_left_to_the_caller():
    work = np.full(N_ITEMS + 2, 1.0)
    block_of_item = assign_communities(shops(200, 0.0), work, np.arange(len(work)), 2)
    assert (block_of_item[N_ITEMS:] == NO_BLOCK).all()
    assert (block_of_item[:N_ITEMS] < 2).all()
