"""The order of users in every sum is made of their rows alone."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.kernels.csr import user_order
from llm_i2i_spark.kernels.edge_format import ITEM_SHIFT, SYNTHETIC, WEIGHTED
from tests.kernels.plain_csr import to_csr

Edge = tuple[int, float]
User = list[Edge]

real = st.builds(lambda item: (item << ITEM_SHIFT, 1.0), st.integers(0, 3))
weighted = st.builds(
    lambda item, mark, weight: (item << ITEM_SHIFT | mark | WEIGHTED, weight),
    st.integers(0, 3),
    st.sampled_from([0, SYNTHETIC]),
    st.sampled_from([0.2, 0.4]),
)


def in_order(users: list[User]) -> list[User]:
    """As `user_order` has them; users with as many items share a key."""
    rows = [
        (len(own), [edge for edge, _ in own], [weight for edge, weight in own if edge & WEIGHTED])
        for own in users
    ]
    return [users[user] for user in user_order(to_csr(rows))]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(real | weighted, min_size=2, max_size=3), max_size=12), st.randoms())
def test_users_are_ordered_by_their_rows_alone_also_when_keys_collide(users, draw):
    ordered = in_order(users)
    assert in_order(draw.sample(users, len(users))) == ordered
    assert [len(own) for own in ordered] == sorted(map(len, users))
