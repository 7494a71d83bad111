"""From masses and prior of pairs to the similarities of EM transitions.

Pairs travel as arrays, a row for each block they come from and each part of the sources they go to,
so that no pair is a row before it is a similarity.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from llm_i2i_spark.backbones.cooccurrence.block_engine import OUTPUT_ROWS, SIMILAR
from llm_i2i_spark.backbones.cooccurrence.packed_lists import bytes_column, concat_values
from llm_i2i_spark.kernels.arrays import Float64Array, Int64Array, run_starts
from llm_i2i_spark.kernels.em_transitions import UNIT
from llm_i2i_spark.lake.grouped_map import map_each

MASS_ARRAYS: dict[str, type[np.generic]] = {
    "mass_keys": np.int64,
    "masses": np.int64,
    "clicks": np.int32,
}
PRIOR_ARRAYS: dict[str, type[np.generic]] = {
    "prior_keys": np.int64,
    "prior": np.float64,
    "supports": np.int32,
    "shares": np.float64,
}
ARRAYS = MASS_ARRAYS | PRIOR_ARRAYS
PARTS = ", ".join(["part int", *(f"{name} binary" for name in ARRAYS)])
"""Pairs whose sources belong to one part, by a key: source << 32 | target. Of pairs with clicks the
mass, in units of 2^-32 clicks, and the number of clicks on the target; of pairs with a prior its
probability, the users behind it, and the share of it that synthetic interactions stand behind.
"""


def find_similarities(
    masses: DataFrame, expected: DataFrame, parts: int, strength: float, top_k: int
) -> DataFrame:
    """Masses and prior of each pair together, the best `top_k` of each item.

    Args:
        masses: columns `PARTS`, from `pack_masses`.
        expected: `source, target, prior, support, share`, each pair once.
        parts: of the sources; the rows are the same for any number.
        strength: clicks that the prior of an item counts as.
        top_k: neighbours kept an item.

    Returns:
        Columns as in `SIMILAR`.
    """
    packed = expected.mapInArrow(partial(pack_priors, parts=parts), PARTS)
    task = partial(similar_in_part, strength=strength, top_k=top_k)
    return map_each(masses.unionByName(packed), "part", parts, task, SIMILAR)


def pack_masses(
    keys: Int64Array, masses: Int64Array, clicks: NDArray[np.int32], parts: int
) -> pa.RecordBatch:
    """The pairs of a block as rows of the columns `PARTS`.

    Args:
        keys: (pairs,) source << 32 | target.
        masses: (pairs,) in units of 2^-32 clicks.
        clicks: (pairs,) on the target, with the source before them.
        parts: of the sources.
    """
    return _pack({"mass_keys": keys, "masses": masses, "clicks": clicks}, keys, parts)


def pack_priors(batches: Iterator[pa.RecordBatch], parts: int) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: the prior of some pairs to columns `PARTS`."""
    for batch in batches:
        if batch.num_rows:
            keys = pair_keys(batch["source"].to_numpy(), batch["target"].to_numpy())
            columns = {
                "prior_keys": keys,
                "prior": batch["prior"].to_numpy(),
                "supports": batch["support"].to_numpy(),
                "shares": batch["share"].to_numpy(),
            }
            yield _pack(columns, keys, parts)


def similar_in_part(
    batches: Iterator[pa.RecordBatch], strength: float, top_k: int
) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers, once a part: all pairs of its sources to similarities."""
    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    found = {name: concat_values(received, name, kind) for name, kind in ARRAYS.items()}
    received.clear()
    keys = np.union1d(found["mass_keys"], found["prior_keys"])
    has_mass = np.searchsorted(keys, found["mass_keys"])
    has_prior = np.searchsorted(keys, found["prior_keys"])
    units = _placed(has_mass, found["masses"], len(keys))
    prior = _placed(has_prior, found["prior"], len(keys))
    share = _placed(has_prior, found["shares"], len(keys))
    support = _placed(has_prior, found["supports"], len(keys))
    support[has_mass] = found["clicks"]
    source, target = (keys >> 32).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32)
    starts = np.flatnonzero(run_starts(source))
    lengths = np.diff(starts, append=len(source))
    total = np.repeat(np.add.reduceat(units, starts), lengths) * UNIT
    mass, expected = units * UNIT, strength * prior
    similarity = (mass + expected) / (total + strength)
    best = _best(source, target, similarity, top_k)
    columns = {
        "item": source[best],
        "neighbor": target[best],
        "similarity": similarity[best],
        "support": support[best],
        "synthetic_share": (expected[best] * share[best]) / (mass[best] + expected[best]),
    }
    yield from pa.Table.from_pydict(columns).to_batches(OUTPUT_ROWS)


def pair_keys(sources: NDArray[np.int32], targets: NDArray[np.int32]) -> Int64Array:
    """source << 32 | target of each pair."""
    keys: Int64Array = (sources.astype(np.int64) << 32) | targets
    return keys


def _pack(columns: dict[str, NDArray[Any]], keys: Int64Array, parts: int) -> pa.RecordBatch:
    part = (keys >> 32) % parts
    order = np.argsort(part, kind="stable")
    cuts = np.searchsorted(part[order], np.arange(parts + 1))
    present = np.flatnonzero(np.diff(cuts))
    cuts = np.append(cuts[present], cuts[-1])
    none = np.zeros(len(cuts), np.int64)
    rows = {"part": pa.array(present.astype(np.int32))}
    for name, kind in ARRAYS.items():
        has = name in columns
        values = columns[name][order] if has else np.empty(0, kind)
        rows[name] = bytes_column(cuts if has else none, values)
    return pa.RecordBatch.from_pydict(rows)


def _placed(place: Int64Array, values: NDArray[Any], size: int) -> NDArray[Any]:
    whole = np.zeros(size, values.dtype)
    whole[place] = values
    return whole


def _best(
    source: NDArray[np.int32], target: NDArray[np.int32], similarity: Float64Array, top_k: int
) -> Int64Array:
    """Positions of the best `top_k` pairs above 0 of each source, equal ones by target."""
    order = np.lexsort((target, -similarity, source))
    order = order[similarity[order] > 0]
    starts = np.flatnonzero(run_starts(source[order])) if len(order) else order
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    return order[rank < top_k]
