"""What every kernel does first: the order of users, and which of a hot item's users a cap keeps."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.kernels.csr import (
    NO_LIMIT,
    UserLists,
    cap_users,
    draw_numbers,
    read_only,
    user_order,
    users_of_items,
)
from llm_i2i_spark.kernels.edge_format import CAPPED, ITEM_SHIFT, SYNTHETIC
from llm_i2i_spark.kernels.splitting import cap_edges

N_ITEMS = 6
LOTS = np.random.default_rng(0).integers(-(2**31), 2**31, N_ITEMS).astype(np.int32)
Edge = tuple[int, float]
User = list[Edge]

real = st.builds(lambda item: (item << ITEM_SHIFT, 1.0), st.integers(0, 3))
synthetic = st.builds(
    lambda item, weight: (item << ITEM_SHIFT | SYNTHETIC, weight),
    st.integers(0, 3),
    st.sampled_from([0.2, 0.4]),
)


def as_lists(keys: list[int], users: list[User]) -> UserLists:
    offsets = np.cumsum([0, *map(len, users)], dtype=np.int64)
    edges = np.array([edge for own in users for edge, _ in own], np.uint32)
    weights = np.array([weight for own in users for edge, weight in own if edge & SYNTHETIC], float)
    return UserLists(*map(read_only, (np.array(keys, np.int32), offsets, edges, weights)))


def in_order(users: list[User]) -> list[User]:
    """As `user_order` has them; users with lists of one length share a key."""
    return [users[user] for user in user_order(as_lists([len(own) for own in users], users))]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(real | synthetic, min_size=2, max_size=3), max_size=12), st.randoms())
def test_users_are_ordered_by_their_rows_alone_also_when_keys_collide(users, draw):
    ordered = in_order(users)
    assert in_order(draw.sample(users, len(users))) == ordered
    assert [len(own) for own in ordered] == sorted(map(len, users))


keyed_lists = st.tuples(
    st.integers(-(2**31), 2**31 - 1) | st.sampled_from([7, 8]),
    st.sets(st.integers(0, N_ITEMS - 1), min_size=2),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(keyed_lists, max_size=20), st.integers(2, 6), st.data())
def test_just_the_lowest_numbers_survive_a_cap_whatever_was_thinned_before(users, cap, data):
    lists = as_lists(
        [key for key, _ in users],
        [[(item << ITEM_SHIFT, 1.0) for item in sorted(items)] for _, items in users],
    )
    order = user_order(lists)
    numbers = {item: numbers_of(lists, item) for item in range(N_ITEMS)}
    limits = np.full(N_ITEMS, NO_LIMIT)
    for item, drawn in numbers.items():
        if len(drawn) > cap:
            limits[item] = sorted(drawn.values())[data.draw(st.integers(cap - 1, len(drawn) - 1))]
    thinned = lists._replace(edges=read_only(cap_edges(lists, LOTS, limits)))
    for given_lists in (lists, thinned):
        assert user_order(given_lists).tolist() == order.tolist()
        kept = cap_users(
            given_lists,
            users_of_items(given_lists, order, np.zeros(N_ITEMS, np.uint16), 0),
            LOTS,
            cap,
        )
        assert kept.items.tolist() == [item for item in range(N_ITEMS) if numbers[item]]
        for t, item in enumerate(kept.items.tolist()):
            places = slice(kept.starts[t], kept.starts[t + 1])
            in_order = [user for user in order.tolist() if user in numbers[item]]
            lowest = sorted(in_order, key=numbers[item].__getitem__)[:cap]
            assert kept.users[places].tolist() == [user for user in in_order if user in lowest]
            assert (lists.edges[kept.edges[places]] >> ITEM_SHIFT == item).all()


def numbers_of(lists: UserLists, item: int) -> dict[int, int]:
    """The number of each of an item's users in its lottery."""
    places = np.flatnonzero(lists.edges >> ITEM_SHIFT == item)
    users = np.searchsorted(lists.offsets, places, side="right") - 1
    return dict(zip(users.tolist(), draw_numbers(lists, LOTS)[places].tolist(), strict=True))


@settings(max_examples=50, deadline=None)
@given(st.lists(keyed_lists, max_size=20), st.integers(0, 2**64 - 1))
def test_thinning_marks_just_the_numbers_above_the_limit(users, limit):
    lists = as_lists(
        [key for key, _ in users],
        [[(item << ITEM_SHIFT, 1.0) for item in sorted(items)] for _, items in users],
    )
    edges = cap_edges(lists, LOTS, np.full(N_ITEMS, limit, np.uint64))
    above = draw_numbers(lists, LOTS) > np.uint64(limit)
    assert edges.tolist() == (lists.edges | np.where(above, CAPPED, 0).astype(np.uint32)).tolist()
