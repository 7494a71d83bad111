"""The network of a combiner in torch, what its features are standardised with, and its arrays."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from llm_i2i_spark.kernels.combiner import Combiner
from llm_i2i_spark.kernels.pair_features import Float32Array

ROWS = 1 << 18
"""Pairs at once where features are summed."""
LEAST_SCALE = 0.01
"""So that a feature which hardly ever varies in the examples is no huge number where it does."""


class Network(nn.Module):
    """(n, features) standardised features -> (n,) corrections: two hidden layers with SiLU (Elfwing
    et al., Neural Networks 2018) and dropout between them. It begins with corrections of 0.
    """

    def __init__(self, features: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Linear(features, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, 1)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def ignore(self, features: NDArray[np.bool_]) -> None:
        """Let some features have no say; those that are 0 in all training have none after it."""
        with torch.no_grad():
            self.first.weight[:, torch.from_numpy(features)] = 0.0

    def forward(self, features: Tensor) -> Tensor:
        """The corrections."""
        hidden = self.dropout(nn.functional.silu(self.first(features)))
        hidden = nn.functional.silu(self.second(hidden))
        corrections: Tensor = self.last(hidden).squeeze(-1)
        return corrections


def standardisation(features: Float32Array) -> tuple[Float32Array, Float32Array]:
    """(features,) mean and standard deviation of each column, the latter 0.01 at least; 0 and 1
    without rows.
    """
    rows, width = features.shape
    if not rows:
        return np.zeros(width, np.float32), np.ones(width, np.float32)
    blocks = [features[start : start + ROWS] for start in range(0, rows, ROWS)]
    mean = np.sum([block.sum(axis=0, dtype=np.float64) for block in blocks], axis=0) / rows
    squares = np.sum([((block - mean) ** 2).sum(axis=0) for block in blocks], axis=0)
    scale = np.maximum(np.sqrt(squares / rows), LEAST_SCALE)
    return mean.astype(np.float32), scale.astype(np.float32)


def to_combiner(network: Network, mean: Float32Array, scale: Float32Array) -> Combiner:
    """The network as the arrays that it is applied with."""
    with torch.no_grad():
        return Combiner(
            mean=mean,
            scale=scale,
            weight_1=_array(network.first.weight.T),
            bias_1=_array(network.first.bias),
            weight_2=_array(network.second.weight.T),
            bias_2=_array(network.second.bias),
            weight_3=_array(network.last.weight[0]),
            bias_3=_array(network.last.bias),
        )


def _array(tensor: Tensor) -> Float32Array:
    copied: Float32Array = np.ascontiguousarray(tensor.numpy()).copy()
    return copied
