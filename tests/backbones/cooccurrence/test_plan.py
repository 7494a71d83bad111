"""The plan from degree counts: what it bounds and expects is so on graphs that can be counted, and
what cannot fit is refused.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.backbones.base import EngineOptions
from llm_i2i_spark.backbones.cooccurrence.packed_lists import PACKED, pack
from llm_i2i_spark.backbones.cooccurrence.plan import (
    MOST_BLOCKS,
    Degrees,
    Plan,
    make_plan,
    measure_degrees,
)
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.kernels.csr import UserCsr

graphs = st.lists(st.sets(st.integers(0, 9), min_size=1, max_size=8), min_size=1, max_size=15)


def plan_of(degrees: Degrees, cores=2, max_users: int | None = None, **options: int) -> Plan:
    return make_plan(degrees, max_users, EngineOptions(**options), cores)


def degrees_of(graph: list[set[int]]) -> Degrees:
    """Users of one item are in no list, and their clicks count for items all the same."""
    clicks = Counter(item for items in graph for item in items)
    return Degrees(
        Counter(len(items) for items in graph if len(items) > 1), Counter(clicks.values())
    )


def zipf_degrees(users: int, items: int, seed=0) -> tuple[Degrees, np.ndarray]:
    lengths = np.minimum(np.random.default_rng(seed).zipf(1.7, users) + 1, 500)
    counts = Counter(lengths.tolist())
    clicks = 1 + (lengths.sum() / np.arange(1, items + 1) / np.log(items)).astype(int)
    return Degrees(counts, Counter(clicks.tolist())), lengths


@settings(max_examples=100, deadline=None)
@given(graphs)
def test_degrees_count_what_is_there(graph):
    degrees, lists = degrees_of(graph), [items for items in graph if len(items) > 1]
    assert (degrees.users, degrees.rows) == (len(lists), sum(map(len, lists)))
    assert degrees.longest == max(map(len, lists), default=0)
    assert degrees.items == len(set().union(*graph))
    assert degrees.hottest == max(sum(item in items for items in graph) for item in range(10))


@pytest.mark.spark
def test_degrees_are_measured_from_packed_lists_in_any_partitioning(spark):
    own = [[8, 16, 28], [8, 20], [16, 24], [12, 20, 28, 36]]  # those of the bit 4 are weighted
    indptr = np.cumsum([0, *map(len, own)], dtype=np.int64)
    lists = UserCsr(
        np.arange(4, dtype=np.int32),
        indptr,
        np.concatenate(own).astype(np.uint32),
        np.full(6, 0.5),
    )
    (batch,) = pack(lists, 3)
    rows = [tuple(map(bytes, row.values())) for row in batch.to_pylist()]
    for partitions in (1, 3):
        found = measure_degrees(
            spark.createDataFrame(rows, PACKED).repartition(partitions), np.array([1, 2, 2, 6])
        )
        assert found == Degrees({2: 2, 3: 1, 4: 1}, {1: 1, 2: 2, 6: 1}, weighted=6)


def test_a_cap_moves_hotter_items_to_itself_and_leaves_users_alone():
    degrees = Degrees({3: 10}, {1: 5, 4: 2, 9: 1, 20: 1}, weighted=6)
    assert degrees.capped(4) == Degrees({3: 10}, {1: 5, 4: 4}, weighted=6)
    assert degrees.capped(None) == degrees


@settings(max_examples=150, deadline=None)
@given(graphs)
def test_wedges_are_exact_and_butterflies_bounded(graph):
    plan = plan_of(degrees_of(graph))
    butterflies = sum(comb(len(one & other), 2) for one, other in combinations(graph, 2))
    assert plan.item_wedges == sum(comb(len(items), 2) for items in graph)
    assert plan.user_wedges == sum(len(one & other) for one, other in combinations(graph, 2))
    assert butterflies <= plan.butterflies


@settings(max_examples=150, deadline=None)
@given(graphs, st.integers(2, 5), st.randoms())
def test_butterflies_are_bounded_under_a_cap(graph, cap, draw):
    plan = plan_of(degrees_of(graph), max_users=cap)
    terms = 0
    for item in range(10):
        users = [items for items in graph if item in items]
        kept = draw.sample(users, min(cap, len(users)))
        terms += sum(len(one & other) - 1 for one, other in combinations(kept, 2))
    assert terms <= 2 * plan.butterflies  # a pair of items has a term in either row


def test_half_a_term_counts_as_a_whole():
    # Three terms in the rows of both items of a pair, if item 0 keeps its last two users.
    plan = plan_of(degrees_of([{0, 2}, {0, 2}, {0, 1}, {0, 1}]), max_users=2)
    assert plan.butterflies == 2


def test_bounds_are_met_by_users_with_equal_lists():
    plan = plan_of(degrees_of([{0, 1, 2, 3}] * 5))
    assert plan.butterflies == comb(5, 2) * comb(4, 2)


@pytest.mark.parametrize("blocks", [1, 4, 37, 500])
def test_expected_shipping_is_what_assigning_at_random_ships(blocks):
    degrees, lengths = zipf_degrees(users=4000, items=20_000)
    draw = np.random.default_rng(blocks)
    shipped = sum(
        int(length) * len(np.unique(draw.integers(0, blocks, length))) for length in lengths
    )
    plan = plan_of(degrees, blocks=blocks, block_bytes=1_000_000_000)
    assert plan.shipped_edges == pytest.approx(shipped, rel=0.03)
    assert plan.shuffle_bytes == 4 * plan.shipped_edges


def test_smaller_budgets_make_more_blocks_and_each_keeps_its_budget():
    degrees, _ = zipf_degrees(users=20_000, items=20_000)
    degrees = Degrees(degrees.of_users, {1: 20_000})
    plans = {size: plan_of(degrees, block_bytes=size) for size in (2**26, 2**17, 2**15)}
    assert [plan.blocks for plan in plans.values()] == sorted(
        plan.blocks for plan in plans.values()
    )
    assert plans[2**26].blocks < plans[2**17].blocks < plans[2**15].blocks
    for size, plan in plans.items():
        assert plan.block_bytes <= size


@pytest.mark.parametrize("cores", [1, 2, 16])
def test_every_core_has_work(cores):
    assert plan_of(degrees_of([{0, 1, 2}] * 4), cores).blocks >= cores


@pytest.mark.parametrize("blocks", [1, 7, MOST_BLOCKS])
def test_blocks_given_by_hand_are_kept(blocks):
    assert plan_of(degrees_of([{0, 1, 2}] * 4), blocks=blocks).blocks == blocks


def test_a_hot_item_that_cannot_fit_is_refused_in_a_sentence_whose_advice_helps():
    degrees = Degrees({100: 50_000_000}, {10_000_000: 1, 50: 10_000_000})
    with pytest.raises(UserError, match="One item has 10,000,000 users") as caught:
        plan_of(degrees)
    assert "\n" not in str(caught.value)
    assert "i2i.max_users_per_item" in str(caught.value)
    assert plan_of(degrees, max_users=1000).blocks <= MOST_BLOCKS
    assert "i2i.block_bytes" in str(caught.value)
    assert plan_of(degrees, block_bytes=2_000_000_000).blocks <= MOST_BLOCKS


def test_too_many_blocks_are_refused_in_a_sentence_whose_advice_helps():
    degrees = Degrees({1000: 1_000_000}, {1: 1_000_000})
    with pytest.raises(
        UserError, match=r"need [\d,]+ blocks of .* and 65,000 is the most"
    ) as caught:
        plan_of(degrees, block_bytes=1024)
    assert "\n" not in str(caught.value)
    assert plan_of(degrees, block_bytes=2**27).blocks <= MOST_BLOCKS


def test_a_log_without_pairs_has_a_plan():
    plan = plan_of(Degrees({}, {1: 3}))
    assert (plan.user_wedges, plan.butterflies, plan.shuffle_bytes) == (0, 0, 0)
    assert "0 users, 3 items" in plan.sentence()


def test_the_sentence_and_the_record_say_the_same_numbers():
    plan = plan_of(zipf_degrees(users=30_000, items=5000)[0])
    assert {
        "users",
        "items",
        "rows",
        "butterflies_bound",
        "blocks",
        "shuffle_bytes",
        "block_bytes",
    } <= plan.numbers().keys()
    for name in (
        "users",
        "items",
        "rows",
        "user_wedges",
        "item_wedges",
        "butterflies_bound",
        "blocks",
    ):
        assert f"{plan.numbers()[name]:,}" in plan.sentence(), name
    assert "\n" not in plan.sentence()


def test_the_weights_of_edges_are_shipped_too():
    real, half = Degrees({4: 100}, {40: 10}), Degrees({4: 100}, {40: 10}, weighted=200)
    shipped = [plan_of(degrees, blocks=4).shuffle_bytes for degrees in (half, real)]
    assert shipped[0] == 2 * shipped[1]
