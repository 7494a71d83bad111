"""The click matrix as Arrow and back: nothing is lost, however it is cut, sliced and joined."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.backbones.cooccurrence.packed_lists import pack, unpack
from llm_i2i_spark.kernels.csr import UserCsr
from llm_i2i_spark.kernels.edge_format import ITEM_SHIFT, WEIGHTED
from tests.kernels.plain_csr import to_csr

edges = st.tuples(st.integers(0, 99), st.booleans()).map(
    lambda edge: edge[0] << ITEM_SHIFT | (WEIGHTED if edge[1] else 0)
)
contents = st.lists(st.lists(edges, min_size=2, max_size=9), min_size=1, max_size=15)


def csr_of(contents: list[list[int]]) -> UserCsr:
    """Keys fall from user to user; every weight is another."""
    weights = iter(np.arange(sum(map(len, contents))) / 7.0)
    return to_csr(
        [
            (-user, own, [float(next(weights)) for edge in own if edge & WEIGHTED])
            for user, own in enumerate(contents)
        ]
    )


def assert_equal(found: UserCsr | None, wanted: UserCsr) -> None:
    assert found is not None
    for name, column in found._asdict().items():
        np.testing.assert_array_equal(column, getattr(wanted, name), err_msg=name)
        assert column.dtype == getattr(wanted, name).dtype
        assert not column.flags.writeable


@settings(max_examples=100, deadline=None)
@given(contents, st.integers(1, 40))
def test_what_is_packed_comes_back(contents, edges_per_row):
    csr = csr_of(contents)
    assert_equal(unpack(pack(csr, edges_per_row)), csr)


@settings(max_examples=100, deadline=None)
@given(contents, st.integers(1, 12), st.data())
def test_slices_put_together_are_the_whole(contents, edges_per_row, data):
    csr = csr_of(contents)
    (batch,) = pack(csr, edges_per_row)
    cut = data.draw(st.integers(0, batch.num_rows))
    parts = [batch.slice(0, cut), batch.slice(cut)]
    assert_equal(unpack(parts), csr)
    last = unpack(parts[1:])
    assert (last is None) == (cut == batch.num_rows)
    if last is not None:
        for name in ("keys", "indices", "data"):
            whole, part = getattr(csr, name), getattr(last, name)
            np.testing.assert_array_equal(part, whole[len(whole) - len(part) :])


def test_a_packed_list_has_about_so_many_edges_and_only_whole_users():
    (batch,) = pack(csr_of([[4, 8, 12]] * 20 + [[4] * 50]), 10)
    edges = [len(packed.as_py()) // 4 for packed in batch.column("indices")]
    assert sum(edges) == 110
    assert [n for n in edges if n > 12] == [50]
    assert all(n % 3 == 0 for n in edges[:-1])


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_offsets_of_either_width_are_read(kind):
    csr = csr_of([[4, 8], [4, 13, 21]])
    (batch,) = pack(csr, 2)
    schema = pa.schema([(name, kind) for name in batch.schema.names])
    assert_equal(unpack([batch.cast(schema)]), csr)


def test_no_users_are_no_packed_lists():
    assert list(pack(csr_of([]), 10)) == []
    assert unpack([]) is None
