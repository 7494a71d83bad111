"""A trained combiner in use: a small network that corrects the mixture of a pair of items.

similarity(i, j) = mixture(i, j) * exp(network(features of (i, j)))
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llm_i2i_spark.kernels.arrays import Float64Array
from llm_i2i_spark.kernels.compiled import compiled
from llm_i2i_spark.kernels.pair_features import Float32Array

TENSORS = ("mean", "scale", "weight_1", "bias_1", "weight_2", "bias_2", "weight_3", "bias_3")


@dataclass(frozen=True)
class Combiner:
    """The weights of a network with two hidden layers and SiLU between the layers.

    Attributes:
        mean: (features,) taken off the features ...
        scale: (features,) ... before they are divided by this.
        weight_1: (features, hidden).
        bias_1: (hidden,).
        weight_2: (hidden, hidden).
        bias_2: (hidden,).
        weight_3: (hidden,).
        bias_3: (1,).
    """

    mean: Float32Array
    scale: Float32Array
    weight_1: Float32Array
    bias_1: Float32Array
    weight_2: Float32Array
    bias_2: Float32Array
    weight_3: Float32Array
    bias_3: Float32Array

    def combine(self, mixture: Float64Array, features: Float32Array) -> Float64Array:
        """The similarity of each pair.

        A pair's result depends on no other pair, whatever stands beside it.

        Args:
            mixture: (n,) of each pair.
            features: (n, features) of `pair_features`.
        """
        return _combine(mixture, features, *(getattr(self, name) for name in TENSORS))


@compiled
def _combine(
    mixture: Float64Array,
    features: Float32Array,
    mean: Float32Array,
    scale: Float32Array,
    weight_1: Float32Array,
    bias_1: Float32Array,
    weight_2: Float32Array,
    bias_2: Float32Array,
    weight_3: Float32Array,
    bias_3: Float32Array,
) -> Float64Array:
    found = np.empty(len(mixture), np.float64)
    first, second = np.empty_like(bias_1), np.empty_like(bias_2)
    for row in range(len(mixture)):
        first[:] = bias_1
        for f in range(features.shape[1]):
            value = (features[row, f] - mean[f]) / scale[f]
            for h in range(len(first)):
                first[h] += value * weight_1[f, h]
        second[:] = bias_2
        for h in range(len(first)):
            value = first[h] / (np.float32(1.0) + np.exp(-first[h]))
            for g in range(len(second)):
                second[g] += value * weight_2[h, g]
        correction = bias_3[0]
        for g in range(len(second)):
            correction += weight_3[g] * second[g] / (np.float32(1.0) + np.exp(-second[g]))
        found[row] = mixture[row] * np.exp(np.float64(correction))
    return found
