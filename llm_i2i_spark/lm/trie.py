"""Prefix trie of the catalogue's codes in flat arrays, so that the next codes of thousands of beams
are one lookup.

Items are sorted by their codes. A node of level l is a prefix of l codes; it covers a contiguous
range of the sorted items, and its children are a contiguous range of the nodes of level l + 1.
Level 0 has one node, the root; a node of the last level is an item.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Int64Array = NDArray[np.int64]


class Children(NamedTuple):
    """Children of a list of nodes, in the order of the nodes, then of the codes.

    Attributes:
        parents: [M] index of each child's parent in the list, ascending.
        nodes: [M] index of each child within its level.
        tokens: [M] item token that leads to each child.
    """

    parents: Int64Array
    nodes: Int64Array
    tokens: Int64Array


class ItemTrie:
    """All sequences of item tokens that are an item of the catalogue.

    Args:
        codes: [n_items, length] of an `ItemVocabulary`; every row different.

    Attributes:
        items: [n_items] item (row of `codes`) of each leaf; leaves are sorted by codes.
        length: codes an item.
    """

    def __init__(self, codes: Int64Array) -> None:
        self.length = int(codes.shape[1])
        self.items: Int64Array = np.lexsort(codes.T[::-1]).astype(np.int64)
        ordered = codes[self.items]
        starts_prefix = np.zeros(len(codes), np.bool_)
        starts_prefix[:1] = True
        self._first_leaf: list[Int64Array] = [np.array([0, len(codes)])]
        self._tokens: list[Int64Array] = [np.zeros(1, np.int64)]
        self._first_child: list[Int64Array] = []
        for level in range(self.length):
            starts_prefix[1:] |= ordered[1:, level] != ordered[:-1, level]
            firsts = np.append(np.flatnonzero(starts_prefix), len(codes))
            self._first_child.append(np.searchsorted(firsts, self._first_leaf[-1]))
            self._first_leaf.append(firsts)
            self._tokens.append(ordered[firsts[:-1], level])
        if len(self._tokens[-1]) != len(codes):
            raise ValueError("two items have the same codes")

    def children(self, level: int, nodes: Int64Array) -> Children:
        """Children of some nodes of a level.

        Args:
            level: 0..length - 1.
            nodes: [N] indices within the level, duplicates allowed.
        """
        first = self._first_child[level]
        counts = first[nodes + 1] - first[nodes]
        parents = np.repeat(np.arange(len(nodes)), counts)
        within = np.arange(len(parents)) - np.repeat(np.cumsum(counts) - counts, counts)
        children = first[nodes][parents] + within
        return Children(parents, children, self._tokens[level + 1][children])

    def leaves(self, level: int, nodes: Int64Array) -> tuple[Int64Array, Int64Array]:
        """Range [first, end) of the leaves below each node of a level."""
        first = self._first_leaf[level]
        return first[nodes], first[nodes + 1]
