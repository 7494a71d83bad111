"""Mixtures against dictionaries of Python, and weights against those behind the data."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.kernels.mixture import (
    LEAST_CLICKS,
    ItemLists,
    bucket_of,
    learn_mixture,
    mix_lists,
    values_at,
)

SIZE, COMPONENTS = 7, 3
quarters = st.integers(0, 8).map(lambda quarter: quarter / 4)
some_list = st.dictionaries(st.integers(0, SIZE - 1), st.integers(1, 8).map(lambda n: n / 4))
lists_of_items = st.lists(st.tuples(some_list, some_list, some_list), max_size=5)


def to_arrays(lists: list[tuple[dict, ...]]) -> ItemLists:
    every = [one for of_item in lists for one in of_item]
    return ItemLists(
        np.arange(len(lists), dtype=np.int32),
        np.r_[0, np.cumsum([len(one) for one in every])].astype(np.int64),
        np.array([item for one in every for item in one], np.int32),
        np.array([value for one in every for value in one.values()], np.float64),
    )


@settings(max_examples=200, deadline=None)
@given(lists_of_items, st.data(), st.integers(1, 5))
def test_a_mixed_list_is_the_weighted_sum_of_the_lists_best_first(lists, data, top_k):
    weights = data.draw(
        st.lists(
            st.lists(quarters, min_size=COMPONENTS, max_size=COMPONENTS),
            min_size=len(lists),
            max_size=len(lists),
        )
    )
    mixed = mix_lists(to_arrays(lists), np.array(weights).reshape(-1, COMPONENTS), top_k, SIZE)
    assert mixed.items.tolist() == list(range(len(lists)))
    for row, of_item in enumerate(lists):
        sums: dict[int, float] = {}
        for weight, one in zip(weights[row], of_item, strict=True):
            for item, value in one.items():
                sums[item] = sums.get(item, 0.0) + weight * value
        ranked = sorted((-value, item) for item, value in sums.items() if value > 0)[:top_k]
        part = slice(*mixed.indptr[row : row + 2])
        assert mixed.neighbors[part].tolist() == [item for _, item in ranked]
        assert mixed.mixture[part].tolist() == [-value for value, _ in ranked]
        assert mixed.values[part].tolist() == [
            [one.get(item, 0.0) for one in of_item] for _, item in ranked
        ]


@settings(max_examples=100, deadline=None)
@given(lists_of_items.filter(len), st.data())
def test_values_are_those_of_the_neighbor_in_each_list(lists, data):
    wanted = data.draw(
        st.lists(st.tuples(st.integers(0, len(lists) - 1), st.integers(0, SIZE - 1)), max_size=6)
    )
    found = values_at(
        to_arrays(lists),
        COMPONENTS,
        np.array([row for row, _ in wanted], np.int64),
        np.array([item for _, item in wanted], np.int32),
    )
    assert found.tolist() == [[one.get(item, 0.0) for one in lists[row]] for row, item in wanted]


def test_a_bucket_begins_with_its_least_clicks_and_ends_before_those_of_the_next():
    clicks = np.arange(40)
    wanted = [max(b for b, least in enumerate(LEAST_CLICKS) if least <= n) for n in clicks]
    assert bucket_of(clicks).tolist() == wanted


def plain_learning(example, bucket, weight, values, uniform, rounds):
    """Expectation maximisation, click by click."""
    rows, components = len(values), len(values[0]) + 1
    every = [[*one, uniform] for one in values]
    learned = [[1 / components] * components for _ in LEAST_CLICKS]
    for _ in range(rounds):
        counts = [[1.0] * components for _ in LEAST_CLICKS]
        for n in sorted(set(example)):
            own = [row for row in range(rows) if example[row] == n]
            parts = {
                (row, k): weight[row] * learned[bucket[row]][k] * every[row][k]
                for row in own
                for k in range(components)
            }
            for (row, k), part in parts.items():
                counts[bucket[row]][k] += part / sum(parts.values())
        learned = [[one / sum(of_bucket) for one in of_bucket] for of_bucket in counts]
    return [of_bucket[:-1] for of_bucket in learned]


def test_weights_are_learned_as_click_by_click():
    random = np.random.default_rng(2)
    example = np.sort(np.r_[np.arange(30), random.integers(0, 30, 50)])
    bucket = random.integers(0, len(LEAST_CLICKS) - 1, len(example))
    weight = random.random(len(example))
    values = random.random((len(example), 2)) * (random.random((len(example), 2)) < 0.5)
    found = learn_mixture(example, bucket, weight, values, 0.01, rounds=7)
    wanted = plain_learning(
        example.tolist(), bucket.tolist(), weight.tolist(), values.tolist(), 0.01, 7
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert found.sum(axis=1).max() <= 1
    np.testing.assert_allclose(found[-1], 1 / 3)  # a bucket without examples


def test_planted_weights_are_found_for_each_bucket():
    random = np.random.default_rng(3)
    items, clicks, users = 50, 8, 30_000
    lists = random.dirichlet(np.full(items, 0.2), size=(2, clicks))  # P_k(. | i)
    bucket_of_click = np.arange(clicks) % 2
    planted = np.array([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4]])  # the last one: knows nothing
    histories = np.stack([random.permutation(clicks)[:2] for _ in range(users)])
    shares = np.array([0.6, 0.4])
    used = histories[np.arange(users), (random.random(users) > shares[0]).astype(int)]
    from_list = np.array([random.choice(3, p=planted[bucket_of_click[click]]) for click in used])
    target = np.where(
        from_list == 2,
        random.integers(0, items, users),
        [
            random.choice(items, p=lists[min(k, 1), click])
            for k, click in zip(from_list, used, strict=True)
        ],
    )
    found = learn_mixture(
        np.repeat(np.arange(users), 2),
        bucket_of_click[histories].ravel(),
        np.tile(shares, users),
        lists[:, histories.ravel(), np.repeat(target, 2)].T,
        1 / items,
    )
    np.testing.assert_allclose(found[:2], planted[:, :2], atol=0.03)


def test_what_no_component_explains_goes_to_the_one_that_knows_nothing():
    example = np.arange(1000)
    nothing = np.zeros((1000, 2))
    found = learn_mixture(example, np.zeros(1000, np.int64), np.ones(1000), nothing, 0.001)
    assert found[0].max() < 0.01
