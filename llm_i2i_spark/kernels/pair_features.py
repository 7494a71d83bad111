"""What a combiner is shown of an item and one of its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llm_i2i_spark.kernels.arrays import Float64Array, Int32Array, Int64Array
from llm_i2i_spark.kernels.compiled import compiled
from llm_i2i_spark.kernels.mixture import MixedLists

Float32Array = npt.NDArray[np.float32]
LEAST = 1e-5
"""Added to a probability before its logarithm."""
DAYS = 100.0
"""Unit of the time between two items."""
PAIR_FEATURES = (
    "log mixture",
    "log clicks of the item",
    "log clicks of the neighbor",
    "same brand",
    "same category",
    "neighbor is later",
    "log time apart",
)


class CatalogueArrays(NamedTuple):
    """What is known of every item, by item index.

    Attributes:
        clicks: (items,) real interactions.
        brand: (items,) number of its brand; -1 without one.
        category: (items,) number of its category; -1 without one.
        day: (items,) mean time of its clicks, in days; that of all clicks where it has none, and 0
            where the log has no times.
    """

    clicks: Int64Array
    brand: Int32Array
    category: Int32Array
    day: Float64Array


def feature_names(components: Sequence[str]) -> tuple[str, ...]:
    """The columns of `pair_features`."""
    return (*(f"log {name}" for name in components), *PAIR_FEATURES)


def pair_features(lists: MixedLists, catalogue: CatalogueArrays) -> Float32Array:
    """The features of every entry of some lists.

    Args:
        lists: mixed lists.
        catalogue: of all items.

    Returns:
        (entries, components + 7) the logarithm of each component, then `PAIR_FEATURES`.
    """
    items = np.repeat(lists.items, np.diff(lists.indptr))
    return _features(items, lists.neighbors, lists.mixture, lists.values, *catalogue)


@compiled
def _features(
    items: Int32Array,
    neighbors: Int32Array,
    mixture: Float64Array,
    values: Float64Array,
    clicks: Int64Array,
    brand: Int32Array,
    category: Int32Array,
    day: Float64Array,
) -> Float32Array:
    n, components = values.shape
    found = np.empty((n, components + 7), np.float32)
    for row in range(n):
        i, j = items[row], neighbors[row]
        for k in range(components):
            found[row, k] = np.log(values[row, k] + LEAST)
        apart = (day[j] - day[i]) / DAYS
        distance = np.log1p(abs(apart))
        found[row, components] = np.log(mixture[row] + LEAST)
        found[row, components + 1] = np.log1p(float(clicks[i]))
        found[row, components + 2] = np.log1p(float(clicks[j]))
        found[row, components + 3] = 1.0 if brand[i] >= 0 and brand[i] == brand[j] else 0.0
        found[row, components + 4] = 1.0 if category[i] >= 0 and category[i] == category[j] else 0.0
        found[row, components + 5] = distance if apart > 0 else -distance
        found[row, components + 6] = distance
    return found
