"""The rows nearest to others: against an argsort of exact products, whatever the block."""

from __future__ import annotations

import numpy as np

from llm_i2i_spark.kernels.nearest_rows import length_of_rows, nearest_among, quantize


def test_the_nearest_are_those_of_exact_products_whatever_the_block() -> None:
    random = np.random.default_rng(3)
    rows = quantize(np.round(random.normal(size=(200, 5)), 1).astype(np.float32))
    rows[120:150] = rows[:30]  # equal cosines, which the lower row wins
    queries, matrix = rows[100:].astype(np.float32), rows.astype(np.float32)
    own = np.arange(100), np.arange(100, 200)
    query, row, cosine = nearest_among(queries, matrix, 7, own)

    products = rows[100:].astype(np.int64) @ rows.astype(np.int64).T
    products[own] = -(2**40)
    wanted = np.argsort(-products, axis=1, kind="stable")[:, :7]
    assert np.array_equal(row.reshape(100, 7), wanted)
    assert np.array_equal(query, np.repeat(np.arange(100), 7))
    exact = np.take_along_axis(products, wanted, axis=1) / length_of_rows(5) ** 2
    assert np.array_equal(cosine.reshape(100, 7), np.clip(exact, -1, 1))

    for start in range(0, 100, 9):
        own = np.arange(len(queries[start : start + 9])), np.arange(100, 200)[start : start + 9]
        block = nearest_among(queries[start : start + 9], matrix, 7, own)
        chosen = (query >= start) & (query < start + 9)
        assert np.array_equal(block[0] + start, query[chosen])
        assert np.array_equal(block[1], row[chosen])
        assert np.array_equal(block[2], cosine[chosen])


def test_excluded_rows_leave_fewer_and_opposite_ones_count() -> None:
    matrix = quantize(np.array([[1, 0], [-1, 0]], np.float32)).astype(np.float32)
    query, row, cosine = nearest_among(
        matrix, matrix, 5, (np.array([0, 1, 1]), np.array([0, 0, 1]))
    )
    assert (query.tolist(), row.tolist(), cosine.tolist()) == ([0], [1], [-1.0])
