"""The merge of neighbour lists against one written out in dictionaries, bit for bit; the weights of
clicks; the search in sorted ids.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.kernels.id_search import find_ids
from llm_i2i_spark.kernels.list_merge import WeightedLists, recommend, step_weights

SCORES = st.floats(-1.0, 1.0, allow_nan=False, width=64)
ENTRY = st.tuples(st.integers(0, 20), SCORES, st.floats(0.0, 1.0))
LIST = st.lists(ENTRY, max_size=8, unique_by=lambda entry: entry[0])
USER = st.tuples(st.lists(LIST, max_size=5), st.lists(st.integers(0, 20), max_size=5))


def flat(users, weights, with_shares):
    lists = [entries for user, _ in users for entries in user]
    entries = [entry for each in lists for entry in each]
    indptr = np.cumsum([0, *map(len, lists)])
    columns = [np.array([entry[place] for entry in entries]) for place in range(3)]
    merged = WeightedLists(
        indptr[:-1],
        indptr[1:],
        np.array([weights[step] for user, _ in users for step in range(len(user))], np.float64),
        columns[0].astype(np.int32),
        columns[1].astype(np.float64),
        columns[2].astype(np.float64) if with_shares else np.empty(0),
    )
    owned = np.array([item for _, items in users for item in items], np.int32)
    of_lists = np.cumsum([0, *(len(user) for user, _ in users)])
    of_owned = np.cumsum([0, *(len(items) for _, items in users)])
    return merged, of_lists, owned, of_owned


def in_dictionaries(user, weights, k):
    lists, owned = user
    sums, synthetic = {}, {}
    for weight, entries in zip(weights, lists, strict=False):
        for item, score, share in entries:
            sums[item] = sums.get(item, 0.0) + weight * score
            synthetic[item] = synthetic.get(item, 0.0) + weight * score * share
    live = sorted(
        (item for item in sums if item not in owned), key=lambda item: (-sums[item], item)
    )
    return [
        (item, sums[item], synthetic[item] / sums[item] if sums[item] else 0.0) for item in live[:k]
    ]


@settings(deadline=None, max_examples=150)
@given(users=st.lists(USER, max_size=4), k=st.integers(0, 30), with_shares=st.booleans())
def test_the_merge_equals_dictionaries_to_the_bit(users, k, with_shares) -> None:
    weights = step_weights(0.8, 5).tolist()
    found = recommend(*flat(users, weights, with_shares), k)
    for place, user in enumerate(users):
        rows = slice(found.indptr[place], found.indptr[place + 1])
        wanted = in_dictionaries(user, weights, k)
        assert found.key[rows].tolist() == [item for item, _, _ in wanted]
        assert found.score[rows].tolist() == [score for _, score, _ in wanted]
        if with_shares:
            assert found.synthetic_share[rows].tolist() == [share for _, _, share in wanted]


def test_an_unknown_share_makes_the_share_of_a_sum_unknown() -> None:
    users = [([[(1, 0.5, float("nan")), (2, 0.25, 1.0)], [(2, 0.25, 0.0)]], [])]
    found = recommend(*flat(users, [1.0, 1.0], True), 5)
    assert found.key.tolist() == [1, 2]
    assert np.isnan(found.synthetic_share[0])
    assert found.synthetic_share[1] == 0.5


@pytest.mark.parametrize("decay", [0.1, 0.5, 0.8, 0.9, 0.99, 1.0])
def test_a_weight_is_the_double_nearest_to_the_exact_power(decay) -> None:
    for step, weight in enumerate(step_weights(decay, 40).tolist()):
        exact = Fraction(decay) ** step
        for other in (np.nextafter(weight, 0.0), np.nextafter(weight, 2.0)):
            assert abs(Fraction(weight) - exact) <= abs(Fraction(float(other)) - exact)


IDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


def as_bytes(texts):
    encoded = [text.encode() for text in texts]
    return np.frombuffer(b"".join(encoded), np.uint8), np.cumsum([0, *map(len, encoded)])


@settings(deadline=None, max_examples=150)
@given(ids=st.sets(IDS, max_size=30), wanted=st.lists(IDS, max_size=10))
def test_every_id_is_found_where_it_stands_and_no_other(ids, wanted) -> None:
    ordered = sorted(ids, key=lambda text: (len(text), text.encode()))
    found = find_ids(*as_bytes([*ordered, *wanted]), *as_bytes(ordered)).tolist()
    assert found[: len(ordered)] == list(range(len(ordered)))
    assert found[len(ordered) :] == [ordered.index(text) if text in ids else -1 for text in wanted]
