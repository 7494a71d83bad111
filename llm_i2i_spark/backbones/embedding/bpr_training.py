"""The training of backbone bpr: mini-batches of interactions, each with an item its user lacks.

The gradients stand here as formulas, since automatic differentiation of embedding tables would
sort every batch; a test compares them with torch's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from llm_i2i_spark.backbones.embedding.backbone import ReportProgress
from llm_i2i_spark.backbones.embedding.epochs import run_epochs
from llm_i2i_spark.backbones.embedding.interaction_matrix import InteractionMatrix
from llm_i2i_spark.backbones.embedding.item_embeddings import ItemEmbeddings
from llm_i2i_spark.backbones.embedding.row_optimizers import OPTIMIZERS, RowGradients
from llm_i2i_spark.kernels.arrays import Int64Array
from llm_i2i_spark.kernels.negative_sampling import NegativeSampler

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.bpr import Bpr


class BprTraining:
    """One training from scratch. Equal arguments give equal bits on one machine.

    Args:
        backbone: the parameters.
        interactions: what is learned from.
        seed: of first vectors, order and negatives.
        report: told how many interactions are done.
    """

    def __init__(
        self, backbone: Bpr, interactions: InteractionMatrix, seed: int, report: ReportProgress
    ) -> None:
        self._backbone, self._data, self._report = backbone, interactions, report
        self._random = np.random.default_rng(seed)
        self._seed = seed
        per_user = np.bincount(interactions.users, minlength=interactions.n_users)
        # Who has every item lacks none that could be ranked below.
        self._usable = np.flatnonzero(per_user[interactions.users] < interactions.n_items)
        self._learned = np.unique(interactions.items[self._usable])
        self._sampler = NegativeSampler(
            interactions.users,
            interactions.items,
            interactions.n_items,
            backbone.negatives == "popularity",
        )
        # The last number of an item is its bias, that of a user always 1.
        self.users = self._first_vectors(interactions.n_users)
        self.items = self._first_vectors(interactions.n_items)
        self.users[:, -1], self.items[:, -1] = 1.0, 0.0
        optimizer = OPTIMIZERS[backbone.optimizer]
        self._optimizers = [
            optimizer(table, backbone.learning_rate) for table in (self.users, self.items)
        ]

    def run(self) -> ItemEmbeddings:
        """All epochs.

        Raises:
            StageError: the loss is NaN or infinite.
        """
        losses = run_epochs(
            self._backbone,
            self._usable,
            self._data.weights,
            self._step,
            self._random,
            self._seed,
            self._report,
        )
        learned = self._learned
        return ItemEmbeddings(
            self._data.item_ids.take(learned), self.items.numpy()[learned], losses
        )

    def _first_vectors(self, rows: int) -> Tensor:
        factors = self._backbone.factors
        drawn = self._random.random((rows, factors + 1), dtype=np.float32)
        return torch.from_numpy((drawn - np.float32(0.5)) / np.float32(factors))

    def _step(self, chosen: Int64Array) -> float:
        """One step on some interactions; the sum of their weighted losses before it."""
        users = self._data.users[chosen]
        negatives = self._sampler.draw(users, self._random)
        user, item = torch.from_numpy(users), torch.from_numpy(self._data.items[chosen])
        negative = torch.from_numpy(negatives)
        loss, of_user, of_item, of_negative = bpr_gradients(
            self.users[user],
            self.items[item],
            self.items[negative],
            torch.from_numpy(self._data.weights[chosen]),
            self._backbone.regularization,
        )
        of_user[:, -1] = 0.0
        by_user, by_item = self._optimizers
        by_user.step(RowGradients(user, of_user))
        by_item.step(RowGradients(item, of_item), RowGradients(negative, of_negative))
        return loss


def bpr_gradients(
    users: Tensor, items: Tensor, negatives: Tensor, weights: Tensor, regularization: float
) -> tuple[float, Tensor, Tensor, Tensor]:
    """The loss of some interactions and its gradients.

        loss = weight (softplus(-s) + regularization / 2 (|x|^2 + |y|^2 + |z|^2)),  s = x . (y - z)

    Args:
        users: [n, dims], x.
        items: [n, dims], y.
        negatives: [n, dims], z.
        weights: (n,).
        regularization: of the squared lengths.

    Returns:
        The sum of the losses without the squared lengths; the gradients, [n, dims] each.
    """
    difference = items - negatives
    scores = (users * difference).sum(1)
    loss = float((weights * softplus(-scores)).sum())
    pull = -(weights * torch.sigmoid(-scores)).unsqueeze(1)
    decay = (weights * regularization).unsqueeze(1)
    return (
        loss,
        pull * difference + decay * users,
        pull * users + decay * items,
        -pull * users + decay * negatives,
    )
