"""The prefix trie of the catalogue's codes, held in flat arrays, so that the next codes of
thousands of beams are one lookup.

Items are sorted by their codes. A node of level l is a prefix of l codes; it covers a contiguous
range of the sorted items, and its children are a contiguous range of the nodes of level l + 1.
Level 0 has one node, the root; a node of the last level is an item.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Children(NamedTuple):
    """The children of a list of nodes, in the order of the nodes, then of the codes.

    Attributes:
        parents: [M] which of the given nodes each child belongs to, ascending.
        nodes: [M] the children, numbered within their level.
        tokens: [M] the item token that leads to each child.
    """

    parents: Ints
    nodes: Ints
    tokens: Ints


class ItemTrie:
    """All legal sequences of item tokens, and no other.

    Args:
        codes: [n_items, length] of an `ItemVocabulary`; every row different.

    Attributes:
        items: [n_items] the item (row of `codes`) of each leaf: leaves are the items sorted by
            codes.
        length: codes an item.
    """

    def __init__(self, codes: Ints) -> None:
        self.length = int(codes.shape[1])
        self.items: Ints = np.lexsort(codes.T[::-1]).astype(np.int64)
        ordered = codes[self.items]
        starts_prefix = np.zeros(len(codes), np.bool_)
        starts_prefix[:1] = True
        self._first_leaf: list[Ints] = [np.array([0, len(codes)])]
        self._tokens: list[Ints] = [np.zeros(1, np.int64)]
        self._first_child: list[Ints] = []
        for level in range(self.length):
            starts_prefix[1:] |= ordered[1:, level] != ordered[:-1, level]
            firsts = np.append(np.flatnonzero(starts_prefix), len(codes))
            self._first_child.append(np.searchsorted(firsts, self._first_leaf[-1]))
            self._first_leaf.append(firsts)
            self._tokens.append(ordered[firsts[:-1], level])
        if len(self._tokens[-1]) != len(codes):
            raise ValueError("two items have the same codes")

    def children(self, level: int, nodes: Ints) -> Children:
        """The children of nodes of a level.

        Args:
            level: 0..length - 1.
            nodes: [N] numbers within the level, repeats allowed.
        """
        first = self._first_child[level]
        counts = first[nodes + 1] - first[nodes]
        parents = np.repeat(np.arange(len(nodes)), counts)
        within = np.arange(len(parents)) - np.repeat(np.cumsum(counts) - counts, counts)
        found = first[nodes][parents] + within
        return Children(parents, found, self._tokens[level + 1][found])

    def leaves(self, level: int, nodes: Ints) -> tuple[Ints, Ints]:
        """The range [first, end) of leaves below each node of a level."""
        first = self._first_leaf[level]
        return first[nodes], first[nodes + 1]
