"""Rows of the table `combiner_examples` as flat arrays, so that a batch is made without a loop over
its examples.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.kernels.arrays import Int64Array
from llm_i2i_spark.kernels.pair_features import Float32Array

Number = TypeVar("Number", bound=np.generic)
COLUMNS = (
    "user_id",
    "recent_weights",
    "candidate_weights",
    "pair_recent",
    "pair_candidate",
    "mixture",
    "features",
    "loss_weight",
)
"""Those that a training reads."""
HELD_OUT_SHARE = 0.1


class FlatExamples(NamedTuple):
    """Examples, pair after pair.

    Attributes:
        indptr: (examples + 1,) offsets into the next four.
        score: (pairs,) weight of the recent item's list * mixture.
        stands_for: (pairs,) how many items the pair's candidate stands for.
        is_target: (pairs,) whether the candidate is the example's last interaction.
        features: (pairs, features).
        weight: (examples,) of their losses.
        held_out: (examples,) whether an example only tells when to stop.
    """

    indptr: Int64Array
    score: Float32Array
    stands_for: Float32Array
    is_target: NDArray[np.bool_]
    features: Float32Array
    weight: Float32Array
    held_out: NDArray[np.bool_]


def flatten_examples(rows: pa.Table, features: int) -> FlatExamples:
    """Flat arrays of some rows.

    Args:
        rows: columns `COLUMNS`, in the order in which their examples are trained on.
        features: of a pair.

    Raises:
        InputDataError: the arrays of a row do not fit each other.
    """
    pairs, recent = _flat(rows, "pair_recent", np.int64)
    also_pairs, candidate = _flat(rows, "pair_candidate", np.int64)
    mixture_pairs, mixture = _flat(rows, "mixture", np.float32)
    feature_counts, values = _flat(rows, "features", np.float32)
    recents, recent_weights = _flat(rows, "recent_weights", np.float32)
    candidates, candidate_weights = _flat(rows, "candidate_weights", np.float32)
    fits = (
        np.array_equal(pairs, also_pairs)
        and np.array_equal(pairs, mixture_pairs)
        and np.array_equal(pairs * features, feature_counts)
        and _in_range(recent, recents, pairs)
        and _in_range(candidate, candidates, pairs)
    )
    if not fits:
        raise InputDataError(
            f"The arrays of combiner_examples do not fit each other or {features} features a pair:"
            " run stage combine again with --force."
        )
    score = recent_weights[recent + np.repeat(_starts(recents), pairs)]
    score *= mixture
    return FlatExamples(
        indptr=np.r_[0, np.cumsum(pairs)].astype(np.int64),
        score=score,
        stands_for=candidate_weights[candidate + np.repeat(_starts(candidates), pairs)],
        is_target=candidate == 0,
        features=values.reshape(-1, features),
        weight=pc.fill_null(rows.column("loss_weight"), 1.0).to_numpy().astype(np.float32),
        held_out=choose_held_out(rows.column("user_id").to_pylist()),
    )


def no_examples(features: int) -> FlatExamples:
    """Flat arrays without an example."""
    nothing = np.empty(0, np.float32)
    no_marks = np.empty(0, np.bool_)
    return FlatExamples(
        np.zeros(1, np.int64),
        nothing,
        nothing,
        no_marks,
        np.empty((0, features), np.float32),
        nothing,
        no_marks,
    )


def choose_held_out(user_ids: list[str]) -> NDArray[np.bool_]:
    """The tenth of some users whose ids have the lowest hashes (bottom-k sampling)."""
    hashes = np.array(
        [int.from_bytes(hashlib.sha256(one.encode()).digest()[:8], "big") for one in user_ids],
        np.uint64,
    )
    held_out = np.zeros(len(hashes), np.bool_)
    held_out[np.argsort(hashes, kind="stable")[: int(len(hashes) * HELD_OUT_SHARE)]] = True
    return held_out


def _flat(rows: pa.Table, name: str, dtype: type[Number]) -> tuple[Int64Array, NDArray[Number]]:
    """(examples,) lengths of the lists of a column, and their values one after the other."""
    column = rows.column(name)
    lengths = pc.list_value_length(column).to_numpy().astype(np.int64)
    values = pc.list_flatten(column).to_numpy()
    return lengths, values.astype(dtype, copy=False)


def _starts(lengths: Int64Array) -> Int64Array:
    return np.cumsum(lengths) - lengths


def _in_range(index: Int64Array, sizes: Int64Array, pairs: Int64Array) -> bool:
    return bool(np.all((index >= 0) & (index < np.repeat(sizes, pairs))))
