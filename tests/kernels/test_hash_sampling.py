"""Which of a hot item's users a cap keeps, and that a threshold leaves none of them out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.kernels.arrays import read_only
from llm_i2i_spark.kernels.csr import ItemBlock, UserCsr, user_order
from llm_i2i_spark.kernels.edge_format import CAPPED, ITEM_SHIFT, NO_THRESHOLD
from llm_i2i_spark.kernels.hash_sampling import (
    entry_hashes,
    mark_capped,
    sampling_hashes,
    sampling_thresholds,
    users_of_block,
)
from tests.kernels.plain_csr import to_csr

N_ITEMS = 6
ITEM_HASHES = np.random.default_rng(0).integers(-(2**31), 2**31, N_ITEMS).astype(np.int32)

users = st.lists(
    st.tuples(
        st.integers(-(2**31), 2**31 - 1) | st.sampled_from([7, 8]),
        st.sets(st.integers(0, N_ITEMS - 1), min_size=2),
    ),
    max_size=20,
)


def csr_of(users: list[tuple[int, set[int]]]) -> UserCsr:
    return to_csr([(key, [item << ITEM_SHIFT for item in sorted(own)], []) for key, own in users])


def hashes_of(csr: UserCsr, item: int) -> dict[int, int]:
    """The sampling hash of each of an item's users."""
    entries = np.flatnonzero(csr.indices >> ITEM_SHIFT == item)
    own = np.searchsorted(csr.indptr, entries, side="right") - 1
    return dict(zip(own.tolist(), entry_hashes(csr, ITEM_HASHES)[entries].tolist(), strict=True))


@settings(max_examples=150, deadline=None)
@given(users, st.integers(2, 6), st.data())
def test_just_the_lowest_hashes_survive_a_cap_whatever_a_threshold_left_out_before(
    users, cap, data
):
    csr = csr_of(users)
    order = user_order(csr).tolist()
    hashes = {item: hashes_of(csr, item) for item in range(N_ITEMS)}
    thresholds = np.full(N_ITEMS, NO_THRESHOLD, np.uint64)
    for item, own in hashes.items():
        if len(own) > cap:
            thresholds[item] = sorted(own.values())[data.draw(st.integers(cap - 1, len(own) - 1))]
    marked = csr._replace(indices=read_only(mark_capped(csr, ITEM_HASHES, thresholds)))
    block = ItemBlock(np.zeros(N_ITEMS, np.uint16), 0, ITEM_HASHES, cap)
    for given_rows in (csr, marked):
        assert user_order(given_rows).tolist() == order
        kept = users_of_block(given_rows, block)
        assert kept.items.tolist() == [item for item in range(N_ITEMS) if hashes[item]]
        for t, item in enumerate(kept.items.tolist()):
            positions = slice(kept.indptr[t], kept.indptr[t + 1])
            own = [user for user in order if user in hashes[item]]
            lowest = sorted(own, key=hashes[item].__getitem__)[:cap]
            assert kept.indices[positions].tolist() == [user for user in own if user in lowest]
            assert (csr.indices[kept.entries[positions]] >> ITEM_SHIFT == item).all()


@settings(max_examples=50, deadline=None)
@given(users, st.integers(0, 2**64 - 1))
def test_just_the_hashes_above_the_threshold_are_marked(users, threshold):
    csr = csr_of(users)
    edges = mark_capped(csr, ITEM_HASHES, np.full(N_ITEMS, threshold, np.uint64))
    above = entry_hashes(csr, ITEM_HASHES) > np.uint64(threshold)
    assert edges.tolist() == (csr.indices | np.where(above, CAPPED, 0).astype(np.uint32)).tolist()


def test_no_cap_and_a_cap_that_nobody_reaches_need_no_thresholds():
    n_users = np.array([3, 0, 5])
    assert len(sampling_thresholds(n_users, None)) == 0
    assert len(sampling_thresholds(n_users, 5)) == 0
    assert len(sampling_thresholds(np.empty(0, np.int64), 5)) == 0


def test_items_within_the_cap_and_a_little_above_keep_all_their_users():
    thresholds = sampling_thresholds(np.array([0, 1, 100, 101, 10_000]), 100)
    assert (thresholds[:4] == NO_THRESHOLD).all()
    assert thresholds[4] < NO_THRESHOLD


@pytest.mark.parametrize("cap", [20, 300, 1000])
@pytest.mark.parametrize("n_users", [5_000, 200_000])
def test_a_hot_item_keeps_enough_users_for_its_cap_and_few_more(cap, n_users):
    threshold = sampling_thresholds(np.array([n_users]), cap)[0]
    keys = np.random.default_rng(cap).integers(-(2**31), 2**31, n_users).astype(np.int32)
    for item_hash in (0, -1, 2**31 - 1, 12345):
        hashes = sampling_hashes(keys, np.full(n_users, item_hash, np.int32))
        assert cap <= int((hashes <= threshold).sum()) <= cap + 20 * cap**0.5
