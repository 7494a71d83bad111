"""From users' rows to blocks: who is sent where, and what goes with them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.kernels.csr import NO_BLOCK
from llm_i2i_spark.kernels.edge_format import CAPPED, ITEM_SHIFT, SYNTHETIC, WEIGHTED
from llm_i2i_spark.kernels.splitting import split_by_block
from tests.kernels.plain_csr import Rows, to_csr, to_rows

marks = st.sampled_from([0, 0, WEIGHTED, SYNTHETIC | WEIGHTED, CAPPED, WEIGHTED | CAPPED])
contents = st.lists(st.dictionaries(st.integers(0, 7), marks, min_size=2), max_size=12)
blocks_of_items = st.lists(st.sampled_from([0, 1, 2, 3, int(NO_BLOCK)]), min_size=8, max_size=8)


@settings(max_examples=150, deadline=None)
@given(contents, blocks_of_items)
def test_a_row_reaches_just_the_blocks_of_its_uncapped_items_with_its_weights(
    contents, blocks_of_items
):
    rows: Rows = []
    for user, marked in enumerate(contents):
        edges = [item << ITEM_SHIFT | mark for item, mark in sorted(marked.items())]
        rows.append((100 - user, edges, [user + edge / 1000 for edge in edges if edge & WEIGHTED]))
    split = split_by_block(to_csr(rows), np.array(blocks_of_items, np.uint16), 4)
    received = to_rows(split.csr)
    for block in range(4):
        wanted = [
            own
            for own in rows
            if block
            in {blocks_of_items[edge >> ITEM_SHIFT] for edge in own[1] if not edge & CAPPED}
        ]
        assert received[split.row_starts[block] : split.row_starts[block + 1]] == wanted
        assert split.entry_starts[block] == split.csr.indptr[split.row_starts[block]]
        assert split.data_starts[block] == sum(
            len(own[2]) for own in received[: split.row_starts[block]]
        )
    assert len(received) == split.row_starts[-1]
