"""Optimizers of embedding tables: a step changes only the rows that its batch names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

FIRST_SQUARE = 1e-7
"""What a row's sum of squares starts at. AdaGrad's steps do not depend on the scale of gradients;
above zero it lets rows stay where they are that only interactions of nearly no weight name.
"""


class RowGradients(NamedTuple):
    """Gradients by rows of a table; those of a row that is named several times add up.

    Attributes:
        rows: (n,) rows of the table.
        gradients: [m, dims] of the loss; n of them, or those of weighted means of rows.
        places: (n,) of means, the number of the one that a row is a part of.
        shares: (n,) of means, the weight of the row in it.
    """

    rows: Tensor
    gradients: Tensor
    places: Tensor | None = None
    shares: Tensor | None = None

    def mean_squares(self) -> Tensor:
        """(n,) the mean square of each row's gradient."""
        squares = self.gradients.square().mean(1)
        if self.places is None or self.shares is None:
            return squares
        return squares[self.places] * self.shares.square()

    def scaled(self, factors: Tensor) -> Tensor:
        """[n, dims], the gradient of each row times its factor (n,)."""
        if self.places is None or self.shares is None:
            return self.gradients * factors.unsqueeze(1)
        return self.gradients[self.places].mul_((self.shares * factors).unsqueeze(1))


class RowOptimizer(ABC):
    """Changes an embedding table a few rows at a time.

    Args:
        table: [rows, dims], changed in place.
        learning_rate: how far a step goes.
    """

    def __init__(self, table: Tensor, learning_rate: float) -> None:
        self._table, self._learning_rate = table, learning_rate

    @abstractmethod
    def step(self, *parts: RowGradients) -> None:
        """Descend once along gradients of the loss, those of all parts together."""


class RowSgd(RowOptimizer):
    """Stochastic gradient descent: a step is the gradient times the learning rate."""

    def step(self, *parts: RowGradients) -> None:
        """Descend; `RowOptimizer.step` has the contract."""
        for part in parts:
            factors = torch.full((len(part.rows),), -self._learning_rate)
            self._table.index_add_(0, part.rows, part.scaled(factors))


class RowAdagrad(RowOptimizer):
    """AdaGrad with one sum of squares a row, of the mean square over the row's numbers: a row's
    first step has about the learning rate as its root mean square.
    """

    def __init__(self, table: Tensor, learning_rate: float) -> None:
        super().__init__(table, learning_rate)
        self._squares = torch.full((len(table),), FIRST_SQUARE)

    def step(self, *parts: RowGradients) -> None:
        """Descend; `RowOptimizer.step` has the contract."""
        for part in parts:
            self._squares.index_add_(0, part.rows, part.mean_squares())
        for part in parts:
            factors = self._squares[part.rows].rsqrt().mul_(-self._learning_rate)
            self._table.index_add_(0, part.rows, part.scaled(factors))


OPTIMIZERS: dict[str, type[RowOptimizer]] = {"sgd": RowSgd, "adagrad": RowAdagrad}
"""By the name that a backbone's parameter gives."""
