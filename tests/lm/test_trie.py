"""The trie against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_i2i_spark.lm.trie import ItemTrie


@st.composite
def catalogues(draw: st.DrawFn) -> np.ndarray:
    length = draw(st.integers(1, 4))
    rows = draw(
        st.lists(st.tuples(*[st.integers(0, 4)] * length), min_size=1, max_size=60, unique=True)
    )
    return np.array(rows, np.int64)


@given(catalogues(), st.randoms())
def test_children_and_leaves_are_those_of_the_catalogue(codes: np.ndarray, random: object) -> None:
    trie = ItemTrie(codes)
    rows = [tuple(row) for row in codes.tolist()]
    prefixes: dict[int, tuple[int, ...]] = {0: ()}
    for level in range(trie.length):
        nodes = list(prefixes)
        random.shuffle(nodes)  # type: ignore[attr-defined]
        nodes += nodes[:2]
        found = trie.children(level, np.array(nodes))
        below: dict[int, tuple[int, ...]] = {}
        for index, node in enumerate(nodes):
            tokens = found.tokens[found.parents == index].tolist()
            legal = sorted({row[level] for row in rows if row[:level] == prefixes[node]})
            assert tokens == legal
            below |= {
                child: (*prefixes[node], token)
                for child, token in zip(
                    found.nodes[found.parents == index].tolist(), tokens, strict=True
                )
            }
            first, end = trie.leaves(level, np.array([node]))
            covered = {rows[item] for item in trie.items[first[0] : end[0]]}
            assert covered == {row for row in rows if row[:level] == prefixes[node]}
        assert (np.diff(found.parents) >= 0).all()
        prefixes = below
    assert {rows[trie.items[leaf]] for leaf in prefixes} == set(rows)
    assert all(rows[trie.items[leaf]] == prefix for leaf, prefix in prefixes.items())


def test_two_items_with_the_same_codes_are_refused() -> None:
    with pytest.raises(ValueError, match="same codes"):
        ItemTrie(np.array([[1, 2], [0, 1], [1, 2]]))
