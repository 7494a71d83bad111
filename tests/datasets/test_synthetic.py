from __future__ import annotations

import hashlib
from collections import Counter
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest

from llm_i2i_spark.datasets.synthetic import SyntheticDataset
from llm_i2i_spark.datasets.vocabulary import DEPARTMENTS, PRODUCTS_PER_SERIES

N_ITEMS = 2_000
DATASET = SyntheticDataset(N_ITEMS, seed=42)


@pytest.fixture(scope="module")
def clicks() -> pa.RecordBatch:
    return DATASET.interactions(np.arange(2_000))


@pytest.fixture(scope="module")
def numbers(clicks) -> np.ndarray:
    """The item numbers behind the ids of the clicks."""
    number = {name: n for n, name in enumerate(DATASET.item_ids(np.arange(N_ITEMS)).to_pylist())}
    return np.array([number[name] for name in clicks.column("item_id").to_pylist()])


def test_the_same_seed_gives_the_same_clicks_and_another_others(clicks):
    assert DATASET.interactions(np.arange(2_000)).equals(clicks)
    assert not SyntheticDataset(N_ITEMS, 43).interactions(np.arange(2_000)).equals(clicks)


def test_seed_42_stands_for_these_rows_in_every_version(clicks):
    rows = [*clicks.columns[:2], clicks.column("ts").cast(pa.int64())]
    rows += DATASET.catalogue(np.arange(N_ITEMS)).columns
    digest = hashlib.sha256(repr([column.to_pylist() for column in rows]).encode())
    assert digest.hexdigest()[:16] == "0b8e386d6050b9b1"


def test_a_user_does_not_depend_on_who_is_made_beside(clicks):
    pieces = [
        DATASET.interactions(np.arange(start, min(start + 617, 2_000)))
        for start in range(0, 2_000, 617)
    ]
    assert pa.Table.from_batches(pieces).equals(pa.Table.from_batches([clicks]).combine_chunks())
    alone = DATASET.interactions(np.array([1_234]))
    rows = np.array(clicks.column("user_id").to_pylist()) == "u00001234"
    assert alone.equals(clicks.filter(pa.array(rows)))


def test_every_user_clicks_five_items_or_more_each_once_and_later_each_time(clicks):
    users, items = clicks.column("user_id").to_pylist(), clicks.column("item_id").to_pylist()
    counts = Counter(users)
    assert len(counts) == 2_000
    assert min(counts.values()) >= 5
    assert max(counts.values()) <= 40
    assert 16_000 <= len(users) <= 20_000
    assert len(set(zip(users, items, strict=True))) == len(users)
    seconds = clicks.column("ts").cast(pa.int64()).to_numpy()
    same_user = np.array(users[1:]) == np.array(users[:-1])
    assert (np.diff(seconds)[same_user] > 0).all()


def test_popularity_is_skewed_with_a_fifth_of_the_items_nearly_unseen(numbers):
    counts = np.sort(np.bincount(numbers, minlength=N_ITEMS))
    assert 0.15 <= (counts <= 3).mean() <= 0.25
    assert counts[-N_ITEMS // 10 :].sum() > 0.35 * counts.sum()


def test_next_products_of_a_series_are_clicked_together_far_above_chance(clicks, numbers):
    users = np.array(clicks.column("user_id").to_pylist())
    popularity = np.bincount(numbers, minlength=N_ITEMS) / 2_000
    together: Counter[tuple[int, int]] = Counter()
    for user in np.split(numbers, np.flatnonzero(users[1:] != users[:-1]) + 1):
        together.update(combinations(sorted(user.tolist()), 2))
    neighbours = [
        (n, n + 1) for n in range(N_ITEMS - 1) if n % PRODUCTS_PER_SERIES != PRODUCTS_PER_SERIES - 1
    ]
    seen = sum(together[pair] for pair in neighbours)
    expected = 2_000 * sum(popularity[a] * popularity[b] for a, b in neighbours)
    assert seen > 20 * expected


def test_most_long_tail_items_share_too_few_users_for_any_pair_but_their_text_names_their_series(
    clicks, numbers
):
    counts = np.bincount(numbers, minlength=N_ITEMS)
    tail = np.argsort(counts, kind="stable")[: N_ITEMS // 5]
    users = np.array(clicks.column("user_id").to_pylist())
    pairs: Counter[tuple[int, int]] = Counter()
    for user in np.split(numbers, np.flatnonzero(users[1:] != users[:-1]) + 1):
        pairs.update(combinations(sorted(user.tolist()), 2))
    linked = {n for pair, times in pairs.items() if times >= 2 for n in pair}
    assert np.mean([n in linked for n in tail]) < 0.5
    titles = DATASET.catalogue(np.arange(N_ITEMS)).column("title").to_pylist()
    for n in tail[tail < N_ITEMS // PRODUCTS_PER_SERIES * PRODUCTS_PER_SERIES]:
        series = [
            titles[m].split(" ")[:3]
            for m in range(
                n // PRODUCTS_PER_SERIES * PRODUCTS_PER_SERIES,
                n // PRODUCTS_PER_SERIES * PRODUCTS_PER_SERIES + PRODUCTS_PER_SERIES,
            )
        ]
        assert all(words == series[0] for words in series)


def test_titles_are_unique_plain_text_and_ids_reveal_no_order():
    catalogue = DATASET.catalogue(np.arange(N_ITEMS))
    titles = catalogue.column("title").to_pylist()
    assert len(set(titles)) == N_ITEMS
    assert len(set(catalogue.column("item_id").to_pylist())) == N_ITEMS
    assert 0.08 < catalogue.column("brand").null_count / N_ITEMS < 0.16
    assert {path.rsplit(" > ", 1)[0] for path in catalogue.column("category").to_pylist()} == {
        d.path for d in DEPARTMENTS
    }
    order = np.argsort(catalogue.column("item_id").to_pylist())
    assert np.mean(np.abs(np.diff(order)) == 1) < 0.02
