"""The candidates of an example against plain Python, and the softmax that they estimate."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.kernels.candidates import Candidates, choose_candidates

quarters = st.integers(1, 4).map(lambda quarter: quarter / 4)
some_lists = st.lists(
    st.tuples(quarters, st.dictionaries(st.integers(0, 20), quarters, max_size=12)), max_size=4
)


def choose(
    lists: list[tuple[float, dict]], target: int, owned: list[int], best: int, sampled: int, key=5
) -> Candidates:
    return choose_candidates(
        target,
        np.array(owned, np.int32),
        np.array([weight for weight, _ in lists], np.float64),
        np.r_[0, np.cumsum([len(one) for _, one in lists])].astype(np.int64),
        np.array([item for _, one in lists for item in one], np.int32),
        np.array([value for _, one in lists for value in one.values()], np.float64),
        best,
        sampled,
        key,
    )


def merged(lists: list[tuple[float, dict]], owned: list[int]) -> dict[int, float]:
    """What the lookup gives each item that the user does not have."""
    sums: dict[int, float] = {}
    for weight, one in lists:
        for item, value in one.items():
            if item not in owned:
                sums[item] = sums.get(item, 0.0) + weight * value
    return sums


@settings(max_examples=300, deadline=None)
@given(
    some_lists,
    st.integers(0, 20),
    st.lists(st.integers(0, 20), max_size=4),
    st.integers(1, 5),
    st.integers(0, 5),
)
def test_the_target_the_best_and_a_sample_that_stands_for_all_others(
    lists, target, owned, best, sampled
):
    sums = merged(lists, owned)
    found = choose(lists, target, owned, best, sampled)
    if target not in sums:
        assert len(found.items) == len(found.weight) == 0
        return
    others = sorted((-value, item) for item, value in sums.items() if item != target)
    rest = {item for _, item in others[best:]}
    chosen = found.items[1 + len(others[:best]) :].tolist()
    assert found.items[: len(found.items) - len(chosen)].tolist() == [
        target,
        *(item for _, item in others[:best]),
    ]
    assert set(chosen) <= rest
    assert len(set(chosen)) == len(chosen) == min(sampled, len(rest))
    ones = len(found.items) - len(chosen)
    stands_for = [len(rest) / len(chosen)] * len(chosen) if chosen else []
    assert found.weight.tolist() == [1.0] * ones + stands_for


def test_the_softmax_total_is_right_on_average_over_users():
    random = np.random.default_rng(1)
    lists = [
        (1.0, dict(zip(random.permutation(80)[:60].tolist(), random.random(60), strict=True))),
        (0.8, dict(zip(random.permutation(80)[:60].tolist(), random.random(60), strict=True))),
    ]
    sums = merged(lists, [3])
    target = next(iter(sums))
    totals = [
        sum(
            weight * sums[item]
            for item, weight in zip(found.items.tolist(), found.weight, strict=True)
        )
        for found in (choose(lists, target, [3], 10, 8, key) for key in range(4000))
    ]
    error = np.std(totals) / np.sqrt(len(totals))
    assert error > 0
    assert abs(np.mean(totals) - sum(sums.values())) < 4 * error
    unweighted = [sums[item] for item in choose(lists, target, [3], 10, 8).items.tolist()]
    assert sum(sums.values()) - sum(unweighted) > 100 * error  # the weights are what makes it so


def test_the_order_of_the_lists_and_other_users_do_not_change_the_sample():
    lists = [(0.5, dict.fromkeys(range(30), 0.25)), (0.5, dict.fromkeys(range(40), 0.5))]
    first = choose(lists, 7, [], 2, 6)
    again = choose(lists[::-1], 7, [], 2, 6)
    assert first.items.tolist() == again.items.tolist()
    samples = {tuple(choose(lists, 7, [], 2, 6, key).items.tolist()) for key in range(20)}
    assert len(samples) == 20
