"""Mixtures of item lists: what each component is worth for items of few and of many clicks, and the
mixed lists.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llm_i2i_spark.kernels.arrays import Float64Array, Int32Array, Int64Array
from llm_i2i_spark.kernels.compiled import compiled

LEAST_CLICKS = (0, 2, 4, 7, 12, 25)
"""Of an item in each bucket: weights are learned for items of so many clicks up to the next."""


class ItemLists(NamedTuple):
    """The lists of some items by some components, each of which sums to 1 where it is not empty.

    Attributes:
        items: (n,) item indices.
        indptr: (n * components + 1,) offsets into the next two, components within an item.
        neighbors: (entries,) item indices; none twice in a list, and no item in its own.
        values: (entries,) probabilities.
    """

    items: Int32Array
    indptr: Int64Array
    neighbors: Int32Array
    values: Float64Array


class MixedLists(NamedTuple):
    """The mixture of each item's lists, its best entries.

    Attributes:
        items: (n,) item indices.
        indptr: (n + 1,) offsets into the next three.
        neighbors: (entries,) item indices, best first, equal ones by index.
        mixture: (entries,) probabilities.
        values: (entries, components) what the mixture is made of, before the weights.
    """

    items: Int32Array
    indptr: Int64Array
    neighbors: Int32Array
    mixture: Float64Array
    values: Float64Array


def bucket_of(clicks: NDArray[np.number]) -> Int64Array:
    """The bucket of items by their clicks: an index into `LEAST_CLICKS`."""
    return np.searchsorted(np.asarray(LEAST_CLICKS), clicks, side="right") - 1


def learn_mixture(
    example: Int64Array,
    bucket: Int64Array,
    weight: Float64Array,
    values: Float64Array,
    uniform: float,
    rounds: int = 60,
) -> Float64Array:
    """The weights under which held-out clicks are most likely, by expectation maximisation
    (deleted interpolation: Jelinek and Mercer 1980).

        p(y | clicks h) = sum over i in h of w_i sum over k of lambda(bucket of i, k) P_k(y | i)

    Args:
        example: (rows,) number of the held-out click that a row belongs to, ascending from 0.
        bucket: (rows,) of the earlier click i.
        weight: (rows,) of the earlier click by its age; those of an example sum to 1.
        values: (rows, components) P_k(y | i).
        uniform: P(y | i) of one further component, that knows nothing: 1 over the items. It takes
            what no component explains and is then left out.
        rounds: of expectation and maximisation.

    Returns:
        (buckets, components) weights, each row summing to at most 1.
    """
    components, buckets = values.shape[1], len(LEAST_CLICKS)
    every = np.concatenate([values, np.full((len(values), 1), uniform)], axis=1)
    weights = np.full((buckets, components + 1), 1 / (components + 1))
    examples = int(example[-1]) + 1 if len(example) else 0
    for _ in range(rounds):
        parts = weights[bucket] * every * weight[:, None]
        whole = np.bincount(example, parts.sum(axis=1), minlength=examples)
        parts /= np.maximum(whole[example], 1e-300)[:, None]
        sums = np.stack(
            [np.bincount(bucket, column, minlength=buckets) for column in parts.T], axis=1
        )
        # One click a component and bucket: a bucket without examples keeps equal weights.
        weights = (sums + 1) / (sums + 1).sum(axis=1, keepdims=True)
    return np.ascontiguousarray(weights[:, :components])


def values_at(
    lists: ItemLists, components: int, row: Int64Array, target: Int32Array
) -> Float64Array:
    """The values of some neighbours in the lists of some items.

    Args:
        lists: of the items.
        components: how many lists an item has.
        row: (n,) positions in `lists.items`.
        target: (n,) item indices.

    Returns:
        (n, components) 0 where a list does not have it.
    """
    return _values_at(lists.indptr, lists.neighbors, lists.values, components, row, target)


def mix_lists(lists: ItemLists, weights: Float64Array, top_k: int, size: int) -> MixedLists:
    """The mixture of each item's lists: sum over k of weight k * value in list k.

    Args:
        lists: of the items.
        weights: (items, components) of each item's lists.
        top_k: longest mixed list.
        size: items of the catalogue.
    """
    lengths, neighbors, mixture, values = _mix(
        lists.indptr, lists.neighbors, lists.values, weights, top_k, np.full(size, -1, np.int32)
    )
    indptr = np.r_[0, np.cumsum(lengths)].astype(np.int64)
    return MixedLists(lists.items, indptr, neighbors, mixture, values)


@compiled
def _values_at(
    indptr: Int64Array,
    neighbors: Int32Array,
    values: Float64Array,
    components: int,
    row: Int64Array,
    target: Int32Array,
) -> Float64Array:
    found = np.zeros((len(row), components))
    for n in range(len(row)):
        for k in range(components):
            one = row[n] * components + k
            for entry in range(indptr[one], indptr[one + 1]):
                if neighbors[entry] == target[n]:
                    found[n, k] = values[entry]
                    break
    return found


@compiled
def _mix(
    indptr: Int64Array,
    neighbors: Int32Array,
    values: Float64Array,
    weights: Float64Array,
    top_k: int,
    slot: Int32Array,
) -> tuple[Int64Array, Int32Array, Float64Array, Float64Array]:
    n, components = weights.shape
    widest = 0
    for r in range(n):
        widest = max(widest, indptr[(r + 1) * components] - indptr[r * components])
    lengths = np.zeros(n, np.int64)
    capacity = 0
    for r in range(n):
        capacity += min(top_k, indptr[(r + 1) * components] - indptr[r * components])
    out_neighbors = np.empty(capacity, np.int32)
    out_mixture = np.empty(capacity, np.float64)
    out_values = np.zeros((capacity, components))
    union = np.empty(widest, np.int32)
    sums = np.zeros(widest)
    kept_at = np.full(widest, -1, np.int64)
    written = 0
    for r in range(n):
        count = 0
        for k in range(components):
            one = r * components + k
            for entry in range(indptr[one], indptr[one + 1]):
                item = neighbors[entry]
                if slot[item] < 0:
                    slot[item] = count
                    union[count] = item
                    sums[count] = 0.0
                    count += 1
                sums[slot[item]] += weights[r, k] * values[entry]
        by_item = np.argsort(union[:count])
        best = by_item[np.argsort(-sums[by_item], kind="mergesort")][:top_k]
        for place in best:
            if sums[place] <= 0.0:
                continue
            kept_at[place] = written
            out_neighbors[written] = union[place]
            out_mixture[written] = sums[place]
            written += 1
            lengths[r] += 1
        for k in range(components):
            one = r * components + k
            for entry in range(indptr[one], indptr[one + 1]):
                where = kept_at[slot[neighbors[entry]]]
                if where >= 0:
                    out_values[where, k] = values[entry]
        for place in range(count):
            slot[union[place]] = -1
            kept_at[place] = -1
    return lengths, out_neighbors[:written], out_mixture[:written], out_values[:written]
