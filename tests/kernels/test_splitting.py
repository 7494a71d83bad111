"""From lists to blocks: who is sent where, and what goes with them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.kernels.csr import NO_BLOCK
from llm_i2i_spark.kernels.edge_format import CAPPED, ITEM_SHIFT, SYNTHETIC
from llm_i2i_spark.kernels.splitting import split_by_block
from tests.kernels.plain_lists import Lists, ragged, unraveled

marks = st.sampled_from([0, 0, SYNTHETIC, CAPPED, SYNTHETIC | CAPPED])
contents = st.lists(st.dictionaries(st.integers(0, 7), marks, min_size=2), max_size=12)
blocks_of_items = st.lists(st.sampled_from([0, 1, 2, 3, int(NO_BLOCK)]), min_size=8, max_size=8)


@settings(max_examples=150, deadline=None)
@given(contents, blocks_of_items)
def test_a_list_reaches_just_the_blocks_of_its_uncapped_items_with_its_weights(
    contents, blocks_of_items
):
    lists: Lists = []
    for user, marked in enumerate(contents):
        edges = [item << ITEM_SHIFT | mark for item, mark in sorted(marked.items())]
        lists.append(
            (100 - user, edges, [user + edge / 1000 for edge in edges if edge & SYNTHETIC])
        )
    dealt = split_by_block(ragged(lists), np.array(blocks_of_items, np.uint16), 4)
    received = unraveled(dealt.lists)
    for block in range(4):
        wanted = [
            own
            for own in lists
            if block
            in {blocks_of_items[edge >> ITEM_SHIFT] for edge in own[1] if not edge & CAPPED}
        ]
        assert received[dealt.starts[block] : dealt.starts[block + 1]] == wanted
        assert dealt.edge_starts[block] == dealt.lists.offsets[dealt.starts[block]]
        assert dealt.weight_starts[block] == sum(
            len(own[2]) for own in received[: dealt.starts[block]]
        )
    assert len(received) == dealt.starts[-1]
