from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest

from llm_i2i_spark.datasets.synthetic_shop import Shop, item_ids, shop_clicks, shop_items
from llm_i2i_spark.datasets.vocabulary import DEPARTMENTS, STEPS

SHOP = Shop(items=2_000, seed=42)


@pytest.fixture(scope="module")
def clicks() -> pa.RecordBatch:
    return shop_clicks(SHOP, np.arange(2_000))


@pytest.fixture(scope="module")
def numbers(clicks) -> np.ndarray:
    """The item numbers behind the ids of the clicks."""
    number = {name: n for n, name in enumerate(item_ids(SHOP, np.arange(SHOP.items)).to_pylist())}
    return np.array([number[name] for name in clicks.column("item_id").to_pylist()])


def test_the_same_seed_gives_the_same_shop_and_another_another(clicks):
    assert shop_clicks(SHOP, np.arange(2_000)).equals(clicks)
    assert not shop_clicks(Shop(2_000, 43), np.arange(2_000)).equals(clicks)


def test_a_user_does_not_depend_on_who_is_made_beside(clicks):
    pieces = [
        shop_clicks(SHOP, np.arange(start, min(start + 617, 2_000)))
        for start in range(0, 2_000, 617)
    ]
    assert pa.Table.from_batches(pieces).equals(pa.Table.from_batches([clicks]).combine_chunks())
    alone = shop_clicks(SHOP, np.array([1_234]))
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
    counts = np.sort(np.bincount(numbers, minlength=SHOP.items))
    assert 0.15 <= (counts <= 3).mean() <= 0.25
    assert counts[-SHOP.items // 10 :].sum() > 0.35 * counts.sum()


def test_next_products_of_a_series_are_clicked_together_far_above_chance(clicks, numbers):
    users = np.array(clicks.column("user_id").to_pylist())
    popularity = np.bincount(numbers, minlength=SHOP.items) / 2_000
    together: Counter[tuple[int, int]] = Counter()
    for user in np.split(numbers, np.flatnonzero(users[1:] != users[:-1]) + 1):
        together.update(combinations(sorted(user.tolist()), 2))
    neighbours = [(n, n + 1) for n in range(SHOP.items - 1) if n % STEPS != STEPS - 1]
    seen = sum(together[pair] for pair in neighbours)
    expected = 2_000 * sum(popularity[a] * popularity[b] for a, b in neighbours)
    assert seen > 20 * expected


def test_most_long_tail_items_share_too_few_users_for_any_pair_but_their_text_names_their_series(
    clicks, numbers
):
    counts = np.bincount(numbers, minlength=SHOP.items)
    tail = np.argsort(counts, kind="stable")[: SHOP.items // 5]
    users = np.array(clicks.column("user_id").to_pylist())
    pairs: Counter[tuple[int, int]] = Counter()
    for user in np.split(numbers, np.flatnonzero(users[1:] != users[:-1]) + 1):
        pairs.update(combinations(sorted(user.tolist()), 2))
    linked = {n for pair, times in pairs.items() if times >= 2 for n in pair}
    assert np.mean([n in linked for n in tail]) < 0.5
    titles = shop_items(SHOP, np.arange(SHOP.items)).column("title").to_pylist()
    for n in tail[tail < SHOP.items // STEPS * STEPS]:
        series = [
            titles[m].split(" ")[:3] for m in range(n // STEPS * STEPS, n // STEPS * STEPS + STEPS)
        ]
        assert all(words == series[0] for words in series)


def test_titles_are_unique_plain_text_and_ids_reveal_no_order():
    catalogue = shop_items(SHOP, np.arange(SHOP.items))
    titles = catalogue.column("title").to_pylist()
    assert len(set(titles)) == SHOP.items
    assert len(set(catalogue.column("item_id").to_pylist())) == SHOP.items
    assert 0.08 < catalogue.column("brand").null_count / SHOP.items < 0.16
    assert {path.rsplit(" > ", 1)[0] for path in catalogue.column("category").to_pylist()} == {
        d.path for d in DEPARTMENTS
    }
    order = np.argsort(catalogue.column("item_id").to_pylist())
    assert np.mean(np.abs(np.diff(order)) == 1) < 0.02
