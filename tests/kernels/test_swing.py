"""The compiled kernel against a plain oracle on random graphs, the published unit golden, and what
Swing must hold.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_i2i_spark.kernels import swing
from llm_i2i_spark.kernels.arrays import read_only
from llm_i2i_spark.kernels.csr import ItemBlock, UserCsr
from llm_i2i_spark.kernels.edge_format import CAPPED, ITEM_SHIFT, NO_CAP, SYNTHETIC, WEIGHTED
from llm_i2i_spark.kernels.swing import swing_block

A1, A2, B = 5.0, 1.0, 0.3
ITEM_HASHES = np.arange(30, dtype=np.int32)
PROPOSED = SYNTHETIC | WEIGHTED
Edge = tuple[float, int]
Graph = dict[int, dict[int, Edge]]  # user -> item -> (weight, marks)

real_edges = st.tuples(st.just(1.0), st.sampled_from([0, 0, 0, CAPPED]))
synthetic_edges = st.tuples(st.floats(0.01, 1.0), st.sampled_from([PROPOSED, PROPOSED | CAPPED]))
rated_edges = st.tuples(st.floats(0.01, 1.0), st.sampled_from([WEIGHTED, WEIGHTED | CAPPED]))
edges = real_edges | synthetic_edges | rated_edges
graphs = st.dictionaries(
    st.integers(0, 30),
    st.dictionaries(st.integers(0, 14), edges, min_size=1, max_size=8),
    min_size=1,
    max_size=16,
)


def oracle(graph: Graph, a1=A1, a2=A2, b=B):
    """(item, neighbour) -> similarity, support, synthetic share, straight from the definition."""
    weight = {user: (a1 + sum(e for e, _ in items.values())) ** -b for user, items in graph.items()}
    found = {}
    for u in graph:
        for v in graph:
            both = set(graph[u]) & set(graph[v])
            for i in both if u < v else ():
                if (graph[u][i][1] | graph[v][i][1]) & CAPPED:
                    continue
                for j in both - {i}:
                    (eui, mui), (euj, muj), (evi, mvi), (evj, mvj) = (
                        graph[u][i],
                        graph[u][j],
                        graph[v][i],
                        graph[v][j],
                    )
                    term = weight[u] * weight[v] * eui * euj * evi * evj / (a2 + len(both))
                    s, real, users = found.get((i, j), (0.0, 0.0, frozenset()))
                    real += 0.0 if (mui | muj | mvi | mvj) & SYNTHETIC else term
                    found[i, j] = (s + term, real, users | {u, v})
    return {pair: (s, len(users), 1 - real / s) for pair, (s, real, users) in found.items()}


def to_csr(graph: Graph) -> UserCsr:
    """The graph as the kernel takes it, users and items ascending."""
    rows = [sorted(graph[user].items()) for user in sorted(graph)]
    flat = [(item, *edge) for row in rows for item, edge in row]
    keys = np.array(sorted(graph), np.int32)
    indptr = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    edges = np.array([item << ITEM_SHIFT | marks for item, _, marks in flat], np.uint32)
    weights = np.array([weight for _, weight, marks in flat if marks & WEIGHTED], np.float64)
    return UserCsr(*map(read_only, (keys, indptr, edges, weights)))


def item_block(graph: Graph, block=0, blocks=1) -> ItemBlock:
    """Items assigned to blocks in turn."""
    n_items = 1 + max((item for row in graph.values() for item in row), default=0)
    block_of_item = (np.arange(n_items) % blocks).astype(np.uint16)
    return ItemBlock(block_of_item, block, ITEM_HASHES, NO_CAP)


def rows_of(graph: Graph, blocks=1, top_k=1000, a1=A1, a2=A2, b=B):
    """The kernel's rows over all blocks, as tuples, in the order they come."""
    out = [
        swing_block(to_csr(graph), item_block(graph, block, blocks), a1, a2, b, top_k)
        for block in range(blocks)
    ]
    return [row for part in out for row in zip(*(column.tolist() for column in part), strict=True)]


def by_pair(rows):
    return {(i, j): (s, support, share) for i, j, s, support, share in rows}


def real(users: dict[int, list[int]]) -> Graph:
    return {user: dict.fromkeys(items, (1.0, 0)) for user, items in users.items()}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graphs)
def test_kernel_equals_the_definition(graph):
    wanted, found = oracle(graph), by_pair(rows_of(graph))
    assert found.keys() == wanted.keys()
    for pair, (similarity, support, share) in wanted.items():
        assert found[pair][0] == pytest.approx(similarity, rel=1e-12)
        assert found[pair][1] == support
        assert found[pair][2] == pytest.approx(share, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(graphs, st.integers(2, 9))
def test_blocks_partition_the_items_without_changing_a_bit(graph, blocks):
    assert sorted(rows_of(graph, blocks)) == sorted(rows_of(graph))


@settings(max_examples=50, deadline=None)
@given(graphs, st.integers(1, 4))
def test_top_k_is_the_head_of_similarity_then_item(graph, top_k):
    kept = rows_of(graph, top_k=top_k)
    everything = rows_of(graph)
    for item in {row[0] for row in everything}:
        ordered = sorted(
            (row for row in everything if row[0] == item), key=lambda row: (-row[2], row[1])
        )
        assert [row for row in kept if row[0] == item] == ordered[:top_k]


def test_published_unit_golden():
    # The unit test of Flink ML's Swing (a1 = 15, a2 = 0, b = 0.3), whose fifth user its own filter
    # leaves out.
    found = by_pair(
        rows_of(
            real({0: [10, 11, 12], 1: [12, 13], 2: [10, 11, 12], 3: [12, 13]}),
            a1=15.0,
            a2=0.0,
            b=0.3,
        )
    )
    triangle, single = 0.058845768947156235, 0.09134833828228624
    wanted = {(i, j): triangle for i in (10, 11, 12) for j in (10, 11, 12) if i != j} | {
        (12, 13): single,
        (13, 12): single,
    }
    assert {pair: row[0] for pair, row in found.items()} == pytest.approx(wanted, rel=1e-12)
    assert {row[1:] for row in found.values()} == {(2, 0.0)}


def test_bands_of_a_small_table_give_the_same_bits(monkeypatch):
    rng = np.random.default_rng(3)
    graph = {
        u: {
            int(i): (float(rng.uniform(0.1, 1)), PROPOSED) for i in rng.choice(12, 5, replace=False)
        }
        for u in range(60)
    }
    whole = swing_block.py_func(to_csr(graph), item_block(graph), A1, A2, B, 1000)
    monkeypatch.setattr(swing, "TABLE_CELLS", 97)
    banded = swing_block.py_func(to_csr(graph), item_block(graph), A1, A2, B, 1000)
    for left, right in zip(whole, banded, strict=True):
        np.testing.assert_array_equal(left, right)


def test_an_added_pair_that_shares_exactly_two_items_adds_exactly_its_term():
    graph = real({0: [1, 2, 3], 1: [1, 2, 4], 2: [2, 3]})
    more = graph | real({8: [1, 3, 20], 9: [1, 3, 21]})
    before, after = by_pair(rows_of(graph)), by_pair(rows_of(more))
    # The new users meet the old ones too: take those terms from the definition with only one of the
    # two added.
    one = oracle(graph | real({8: [1, 3, 20]}))[1, 3][0]
    other = oracle(graph | real({9: [1, 3, 21]}))[1, 3][0]
    term = ((A1 + 3) ** -B) ** 2 / (A2 + 2)
    start = before.get((1, 3), (0.0,))[0]
    assert after[1, 3][0] - start - (one - start) - (other - start) == pytest.approx(
        term, rel=1e-10
    )
    assert after[1, 3][0] == after[3, 1][0]


def test_users_of_one_item_change_nothing():
    graph = real({0: [1, 2, 3], 1: [1, 2], 2: [2, 3, 1]})
    assert rows_of(graph | real({7: [1], 8: [2]})) == rows_of(graph)


@pytest.mark.parametrize("users", [{}, {0: [1, 2, 3]}, {0: [1, 2], 1: [2, 3], 2: [3, 1]}])
def test_nothing_in_common_gives_no_rows(users):
    assert rows_of(real(users)) == []
