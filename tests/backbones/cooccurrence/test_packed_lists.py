"""Lists as Arrow and back: nothing is lost, however they are cut, sliced and put together again."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.backbones.cooccurrence.packed_lists import pack, unpack
from llm_i2i_spark.kernels.csr import UserLists, read_only
from llm_i2i_spark.kernels.edge_format import ITEM_SHIFT, SYNTHETIC

edges = st.tuples(st.integers(0, 99), st.booleans()).map(
    lambda edge: edge[0] << ITEM_SHIFT | (SYNTHETIC if edge[1] else 0)
)
contents = st.lists(st.lists(edges, min_size=2, max_size=9), min_size=1, max_size=15)


def as_lists(contents: list[list[int]]) -> UserLists:
    flat = np.array([edge for own in contents for edge in own], np.uint32)
    weights = np.arange(np.count_nonzero(flat & SYNTHETIC)) / 7.0
    offsets = np.cumsum([0, *map(len, contents)], dtype=np.int64)
    return UserLists(
        *map(read_only, (-np.arange(len(contents), dtype=np.int32), offsets, flat, weights))
    )


def assert_equal(found: UserLists | None, wanted: UserLists) -> None:
    assert found is not None
    for name, column in found._asdict().items():
        np.testing.assert_array_equal(column, getattr(wanted, name), err_msg=name)
        assert column.dtype == getattr(wanted, name).dtype
        assert not column.flags.writeable


@settings(max_examples=100, deadline=None)
@given(contents, st.integers(1, 40))
def test_what_is_packed_comes_back(contents, edges_a_parcel):
    lists = as_lists(contents)
    assert_equal(unpack(pack(lists, edges_a_parcel)), lists)


@settings(max_examples=100, deadline=None)
@given(contents, st.integers(1, 12), st.data())
def test_slices_put_together_are_the_whole(contents, edges_a_parcel, data):
    lists = as_lists(contents)
    (batch,) = pack(lists, edges_a_parcel)
    cut = data.draw(st.integers(0, batch.num_rows))
    parts = [batch.slice(0, cut), batch.slice(cut)]
    assert_equal(unpack(parts), lists)
    last = unpack(parts[1:])
    assert (last is None) == (cut == batch.num_rows)
    if last is not None:
        np.testing.assert_array_equal(last.keys, lists.keys[len(lists.keys) - len(last.keys) :])
        np.testing.assert_array_equal(last.edges, lists.edges[len(lists.edges) - len(last.edges) :])
        np.testing.assert_array_equal(
            last.weights, lists.weights[len(lists.weights) - len(last.weights) :]
        )


def test_a_parcel_has_about_so_many_edges_and_only_whole_lists():
    (batch,) = pack(as_lists([[4, 8, 12]] * 20 + [[4] * 50]), 10)
    edges = [len(parcel.as_py()) // 4 for parcel in batch.column("edges")]
    assert sum(edges) == 110
    assert [n for n in edges if n > 12] == [50]
    assert all(n % 3 == 0 for n in edges[:-1])


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_offsets_of_either_width_are_read(kind):
    lists = as_lists([[4, 8], [4, 13, 21]])
    (batch,) = pack(lists, 2)
    assert_equal(
        unpack([batch.cast(pa.schema([(name, kind) for name in batch.schema.names]))]), lists
    )


def test_no_lists_are_no_parcels():
    assert list(pack(as_lists([]), 10)) == []
    assert unpack([]) is None
