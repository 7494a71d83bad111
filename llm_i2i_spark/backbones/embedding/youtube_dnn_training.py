"""The training of backbone youtube_dnn: a network reads a user's earlier items and names the next.

Only the network is differentiated automatically. A mean of embeddings hands its gradient on to its
parts, which is written here, since torch would sort every batch by item; so are the gradients of
the loss, whose terms are one matrix that is changed in place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from llm_i2i_spark.backbones.embedding.backbone import ReportProgress
from llm_i2i_spark.backbones.embedding.epochs import run_epochs
from llm_i2i_spark.backbones.embedding.interaction_matrix import InteractionMatrix
from llm_i2i_spark.backbones.embedding.item_embeddings import ItemEmbeddings
from llm_i2i_spark.backbones.embedding.next_item_examples import next_item_examples
from llm_i2i_spark.backbones.embedding.row_optimizers import RowAdagrad, RowGradients
from llm_i2i_spark.kernels.arrays import Int64Array
from llm_i2i_spark.kernels.negative_sampling import NegativeSampler

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.youtube_dnn import YoutubeDnn


class YoutubeDnnTraining:
    """One training from scratch. Equal arguments give equal bits on one machine.

    Args:
        backbone: the parameters.
        interactions: what is learned from, with positions.
        seed: of first vectors, order and negatives.
        report: told how many examples are done.

    Raises:
        InputDataError: the interactions have no positions.
    """

    def __init__(
        self,
        backbone: YoutubeDnn,
        interactions: InteractionMatrix,
        seed: int,
        report: ReportProgress,
    ) -> None:
        self._backbone, self._data, self._report = backbone, interactions, report
        self._random = np.random.default_rng(seed)
        self._seed = seed
        self._examples = next_item_examples(interactions, backbone.history)
        self._sampler = NegativeSampler(
            interactions.users,
            interactions.items,
            interactions.n_items,
            backbone.negatives == "popularity",
        )
        widths = (backbone.dims, *backbone.hidden, backbone.dims)
        self.items = self._drawn(interactions.n_items, backbone.dims, backbone.dims)
        # The last number of a unit is its bias, which begins at 0.
        self.layers = [
            torch.cat((self._drawn(out, width, (width + out) / 2), torch.zeros(out, 1)), dim=1)
            for width, out in pairwise(widths)
        ]
        self._by_item = RowAdagrad(self.items, backbone.learning_rate)
        self._by_layer = [RowAdagrad(layer, backbone.layer_learning_rate) for layer in self.layers]

    def run(self) -> ItemEmbeddings:
        """All epochs.

        Raises:
            StageError: the loss is NaN or infinite.
        """
        targets = self._examples.targets
        losses = run_epochs(
            self._backbone,
            np.arange(len(targets)),
            self._data.weights[targets],
            self._step,
            self._random,
            self._seed,
            self._report,
        )
        learned = np.unique(self._data.items[self._examples.named()])
        return ItemEmbeddings(
            self._data.item_ids.take(learned),
            self.items.numpy()[learned],
            losses,
            tuple(layer.numpy() for layer in self.layers),
        )

    def _drawn(self, rows: int, width: int, fan: float) -> Tensor:
        """Normal random numbers of variance 1 / fan (Glorot and Bengio, AISTATS 2010)."""
        drawn = self._random.standard_normal((rows, width), dtype=np.float32)
        return torch.from_numpy(drawn / np.float32(math.sqrt(fan)))

    def _step(self, chosen: Int64Array) -> float:
        """One step on some examples; the sum of their weighted losses before it."""
        targets = self._examples.targets[chosen]
        places, read, shares = self._histories(chosen)
        item = torch.from_numpy(self._data.items[targets])
        drawn = torch.from_numpy(self._sampler.draw_any(self._backbone.sample_size, self._random))
        firsts = torch.searchsorted(places, torch.arange(len(chosen)))
        means = embedding_bag(read, self.items, firsts, mode="sum", per_sample_weights=shares)
        weights = torch.from_numpy(self._data.weights[targets])
        loss, of_mean, of_item, of_drawn, *of_layers = self._gradients(means, item, drawn, weights)
        self._by_item.step(
            RowGradients(read, of_mean, places, shares),
            RowGradients(item, of_item),
            RowGradients(drawn, of_drawn),
        )
        for optimizer, layer, gradient in zip(self._by_layer, self.layers, of_layers, strict=True):
            optimizer.step(RowGradients(torch.arange(len(layer)), gradient))
        return float(loss)

    def _gradients(
        self, means: Tensor, item: Tensor, drawn: Tensor, weights: Tensor
    ) -> tuple[Tensor, ...]:
        """The loss, and its gradients by the means of the histories, the vectors of the items to
        predict, those of the items drawn, and each layer.
        """
        log_expected = np.log(len(drawn) * self._sampler.probabilities(drawn.numpy()))
        layers = [layer.detach().requires_grad_() for layer in self.layers]
        users = user_vectors(means.requires_grad_(), layers)
        loss, of_users, of_items, of_drawn = sampled_softmax(
            users.detach(),
            self.items[item],
            self.items[drawn],
            torch.from_numpy(log_expected.astype(np.float32)),
            item.unsqueeze(1) == drawn,
            weights,
        )
        of_mean, *of_layers = torch.autograd.grad(users, (means, *layers), of_users)
        return loss, of_mean, of_items, of_drawn, *of_layers

    def _histories(self, chosen: Int64Array) -> tuple[Tensor, Tensor, Tensor]:
        """Of each entry of some histories: its example's place, its item, its share in the mean."""
        places, read = self._examples.histories(chosen)
        weights = self._data.weights[read].astype(np.float64)
        shares = weights / np.bincount(places, weights)[places]
        return (
            torch.from_numpy(places),
            torch.from_numpy(self._data.items[read]),
            torch.from_numpy(shares.astype(np.float32)),
        )


def user_vectors(means: Tensor, layers: Sequence[Tensor]) -> Tensor:
    """What the network makes of users' histories: max(W x + b, 0) layer by layer, the last one
    without the max.

    Args:
        means: [n, dims], weighted means of the items of the histories.
        layers: [out, in + 1] each, W and b side by side.

    Returns:
        [n, out of the last layer].
    """
    hidden = means
    for number, layer in enumerate(layers):
        hidden = torch.addmm(layer[:, -1], hidden, layer[:, :-1].T)
        if number < len(layers) - 1:
            hidden = torch.relu(hidden)
    return hidden


def sampled_softmax(
    users: Tensor,
    items: Tensor,
    negatives: Tensor,
    log_expected: Tensor,
    is_target: Tensor,
    weights: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The loss of a softmax over all items, whose sum is estimated from a sample that all examples
    share, and its gradients.

        loss = weight (ln(exp s_i + sum over drawn j other than i of exp(s_j) / expected_j) - s_i)

    The item itself is always in the sum and needs no correction; each other item stands in it
    `expected_j` times on average, so what is in the logarithm is right on average.

    Args:
        users: [n, dims].
        items: [n, dims], the items to predict.
        negatives: [k, dims], drawn with replacement.
        log_expected: (k,) logarithm of how often an item is drawn on average, all k draws together.
        is_target: [n, k], where a drawn item is the one to predict.
        weights: (n,).

    Returns:
        The sum of the losses, and its gradients by `users`, `items` and `negatives`.
    """
    own = (users * items).sum(1)
    terms = torch.addmm(-log_expected, users, negatives.T).masked_fill_(is_target, -math.inf)
    highest = torch.maximum(own, terms.amax(1))
    terms.sub_(highest.unsqueeze(1)).exp_()
    term = (own - highest).exp()
    whole = terms.sum(1) + term
    loss = (weights * (whole.log() + highest - own)).sum()
    scale = weights / whole
    terms.mul_(scale.unsqueeze(1))  # weighted probabilities: the gradient by each score
    of_own = (term * scale - weights).unsqueeze(1)
    of_users = torch.addmm(of_own * items, terms, negatives)
    return loss, of_users, of_own * users, terms.T @ users
