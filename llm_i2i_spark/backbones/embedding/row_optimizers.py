"""Optimizers of embedding tables: a step changes only the rows that its batch names."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

FIRST_SQUARE = 1e-7
"""What a row's sum of squares starts at. AdaGrad's steps do not depend on the scale of gradients;
above zero it lets rows stay where they are that only interactions of nearly no weight name.
"""


class RowOptimizer(ABC):
    """Changes an embedding table a few rows at a time.

    Args:
        table: [rows, dims], changed in place.
        learning_rate: how far a step goes.
    """

    def __init__(self, table: Tensor, learning_rate: float) -> None:
        self._table, self._learning_rate = table, learning_rate

    @abstractmethod
    def step(self, rows: Tensor, gradients: Tensor) -> None:
        """Descend; the gradients of a row that is named several times add up.

        Args:
            rows: (n,) rows of the table.
            gradients: [n, dims] of the loss.
        """


class RowSgd(RowOptimizer):
    """Stochastic gradient descent: a step is the gradient times the learning rate."""

    def step(self, rows: Tensor, gradients: Tensor) -> None:
        """Descend; `RowOptimizer.step` has the contract."""
        self._table.index_add_(0, rows, gradients, alpha=-self._learning_rate)


class RowAdagrad(RowOptimizer):
    """AdaGrad with one sum of squares a row, of the mean square over the row's numbers: a row's
    first step has about the learning rate as its root mean square.
    """

    def __init__(self, table: Tensor, learning_rate: float) -> None:
        super().__init__(table, learning_rate)
        self._squares = torch.full((len(table), 1), FIRST_SQUARE)

    def step(self, rows: Tensor, gradients: Tensor) -> None:
        """Descend; `RowOptimizer.step` has the contract."""
        self._squares.index_add_(0, rows, gradients.square().mean(1, keepdim=True))
        scaled = gradients / self._squares[rows].sqrt()
        self._table.index_add_(0, rows, scaled, alpha=-self._learning_rate)


OPTIMIZERS: dict[str, type[RowOptimizer]] = {"sgd": RowSgd, "adagrad": RowAdagrad}
"""By the name that a backbone's parameter gives."""
