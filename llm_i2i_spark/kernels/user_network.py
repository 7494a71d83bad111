"""The network that makes users' vectors from those of items, where nothing is learned: without
torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llm_i2i_spark.kernels.arrays import Float32Array, Float64Array, Int64Array


def history_means(
    vectors: Float32Array, items: Int64Array, weights: Float64Array, offsets: Int64Array
) -> Float32Array:
    """The weighted mean of the vectors of each history.

    Args:
        vectors: [n, dims] of the items.
        items: (m,) row of each entry, history after history.
        weights: (m,) above 0.
        offsets: (histories + 1,) where each begins, and where the last one ends; none is empty.

    Returns:
        [histories, dims].
    """
    totals = np.add.reduceat(weights, offsets[:-1])
    shares = weights / np.repeat(totals, np.diff(offsets))
    read = vectors[items] * shares.astype(np.float32)[:, None]
    return np.add.reduceat(read, offsets[:-1], axis=0)


def user_vectors(means: Float32Array, layers: Sequence[Float32Array]) -> Float32Array:
    """What the network makes of histories: max(W x + b, 0) layer by layer, the last one without the
    max.

    Args:
        means: [n, dims].
        layers: [out, in + 1] each, W and b side by side.

    Returns:
        [n, out of the last layer].
    """
    hidden = means
    for number, layer in enumerate(layers):
        hidden = hidden @ layer[:, :-1].T + layer[:, -1]
        if number < len(layers) - 1:
            hidden = np.maximum(hidden, np.float32(0))
    return hidden
