"""Training of a combiner through the lookup: the merged lists of a user's recent items shall rank
the user's last interaction first.

    score(c) = sum over pairs (r, c) of weight(r) mixture(r, c) exp(network(features(r, c)))
    loss = w (log(sum over c of a(c) score(c)) - log(score(last interaction)))

w is the weight of the example, another one than 1 for a long-tail item where that is asked for.
a(c) is how many items candidate c stands for: the loss is the cross entropy of a softmax over the
logarithms of the scores, sampled as in Bengio and Senécal (IEEE Transactions on Neural Networks
2008).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.base.phases import reached
from llm_i2i_spark.combine.examples import FlatExamples
from llm_i2i_spark.combine.network import Network, standardisation, to_combiner
from llm_i2i_spark.kernels.arrays import Int64Array
from llm_i2i_spark.kernels.combiner import Combiner
from llm_i2i_spark.kernels.pair_features import Float32Array
from llm_i2i_spark.lm.reproducible import reproducible
from llm_i2i_spark.training_job.events import Reporter

FEWEST_EXAMPLES = 50
"""With fewer examples than these there is no network: it would learn them by heart."""
WARMUP_STEPS = 30
LAST_RATE = 0.05
"""Learning rate at the end, relative to the highest one."""
LEAST = 1e-12
"""Added to a score before its logarithm."""


@dataclass(frozen=True)
class CombinerTraining:
    """How a combiner is trained.

    Attributes:
        hidden: width of both hidden layers.
        epochs: passes over the examples.
        least_steps: of the optimizer; few examples are passed over more often, until so many steps
            are made.
        learning_rate: of AdamW, after the warm-up.
        weight_decay: of AdamW (Loshchilov and Hutter, ICLR 2019).
        dropout: share of the first hidden layer that is left out in training.
        batch_size: examples a step.
    """

    hidden: int = 32
    epochs: int = 4
    least_steps: int = 0
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    dropout: float = 0.1
    batch_size: int = 256


@dataclass(frozen=True)
class CurvePoint:
    """One epoch of a training.

    Attributes:
        epoch: from 1 on.
        loss: mean over the examples that are trained on, in nats, each before its own step.
        held_out_loss: mean over those that are not, after the epoch.
        learning_rate: at the end of the epoch.
    """

    epoch: int
    loss: float
    held_out_loss: float
    learning_rate: float


class TrainedCombiner(NamedTuple):
    """A combiner and how it came about.

    Attributes:
        combiner: that of the epoch with the lowest held-out loss.
        curve: of all epochs.
        best_epoch: whose weights these are; 0 where none was better than the mixture alone.
        mixture_loss: held-out loss of the mixture alone; None where there was no training.
    """

    combiner: Combiner
    curve: tuple[CurvePoint, ...]
    best_epoch: int
    mixture_loss: float | None


def train_combiner(
    examples: FlatExamples, training: CombinerTraining, seed: int, reporter: Reporter, title: str
) -> TrainedCombiner:
    """Train a combiner. Equal arguments give equal bits.

    The weights of the epoch with the lowest loss on the held-out examples are kept, so that a small
    log ends with the mixture as it is rather than with a network that has learned it by heart.

    Args:
        examples: of some users.
        training: how.
        seed: of the first weights, the order of the examples and the dropout.
        reporter: of progress.
        title: of the progress bar.

    Raises:
        StageError: a loss is NaN or infinite.
    """
    mean, scale = standardisation(examples.features)
    if len(examples.held_out) < FEWEST_EXAMPLES:
        reporter.note(
            f"{title}: {len(examples.held_out)} examples are too few for a network"
            f" (from {FEWEST_EXAMPLES} on); the mixture stays as it is"
        )
        with reproducible(seed):
            network = Network(len(mean), training.hidden, 0.0)
        return TrainedCombiner(to_combiner(network, mean, scale), (), 0, None)
    with reproducible(seed):
        return _Trainer(examples, training, seed, reporter, title, mean, scale).run()


class _Batch(NamedTuple):
    """Some examples, pair after pair.

    Attributes:
        features: (pairs, features) standardised.
        score: (pairs,).
        weighted: (pairs,) score * items that the candidate stands for.
        example: (pairs,) number of the example, from 0.
        target: positions of the pairs whose candidate is the last interaction.
        weight: (size,) of the examples' losses.
        size: how many examples.
    """

    features: Tensor
    score: Tensor
    weighted: Tensor
    example: Tensor
    target: Tensor
    weight: Tensor
    size: int


class _Trainer:
    def __init__(
        self,
        examples: FlatExamples,
        training: CombinerTraining,
        seed: int,
        reporter: Reporter,
        title: str,
        mean: Float32Array,
        scale: Float32Array,
    ) -> None:
        self.examples, self.training = examples, training
        self.reporter, self.title = reporter, title
        self.mean, self.scale = mean, scale
        self.random = np.random.default_rng(seed)
        self.network = Network(len(mean), training.hidden, training.dropout)
        self.network.ignore(np.ptp(examples.features, axis=0) == 0)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=0.0, weight_decay=training.weight_decay
        )
        self.fitted = np.flatnonzero(~examples.held_out)
        self.held_out = np.flatnonzero(examples.held_out)
        self.batches = -(-len(self.fitted) // training.batch_size)
        self.epochs = max(training.epochs, -(-training.least_steps // max(self.batches, 1)))
        self.step, self.rate = 0, 0.0

    def run(self) -> TrainedCombiner:
        """All epochs."""
        mixture_loss = best_loss = self.held_out_loss()
        best_epoch, best = 0, to_combiner(self.network, self.mean, self.scale)
        curve: list[CurvePoint] = []
        for epoch in range(1, self.epochs + 1):
            loss = self.train_epoch(epoch)
            held_out_loss = self.held_out_loss()
            curve.append(CurvePoint(epoch, loss, held_out_loss, self.rate))
            if held_out_loss < best_loss:
                best_loss, best_epoch = held_out_loss, epoch
                best = to_combiner(self.network, self.mean, self.scale)
        if best_epoch == 0:
            self.reporter.note(
                f"{self.title}: no epoch was better than the mixture, which stays as it is"
            )
        return TrainedCombiner(best, tuple(curve), best_epoch, mixture_loss)

    def train_epoch(self, epoch: int) -> float:
        """One pass over the examples in a new order; the mean loss."""
        self.network.train()
        order = self.random.permutation(self.fitted)
        total, done = 0.0, 0
        for chosen in self._parts(order):
            self._set_rate()
            loss = self._losses(self._batch(chosen)).mean()
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            reached("training step", 1)
            total += float(loss.detach()) * len(chosen)
            done += len(chosen)
            if not math.isfinite(total):
                raise StageError(
                    f"The loss of {self.title} is not a number in epoch {epoch}; set a lower"
                    " learning_rate of the backbone."
                )
            self._report(epoch, done, total / done)
        return total / done

    def held_out_loss(self) -> float:
        """Mean loss over the examples that are not trained on."""
        self.network.eval()
        total = 0.0
        with torch.no_grad():
            for chosen in self._parts(self.held_out):
                total += float(self._losses(self._batch(chosen)).sum())
        return total / len(self.held_out)

    def _parts(self, order: Int64Array) -> Iterator[Int64Array]:
        size = self.training.batch_size
        return (order[start : start + size] for start in range(0, len(order), size))

    def _batch(self, chosen: Int64Array) -> _Batch:
        """Some examples: their ranges of pairs, one after the other."""
        indptr, data = self.examples.indptr, self.examples
        lengths = indptr[chosen + 1] - indptr[chosen]
        before = np.cumsum(lengths) - lengths
        pairs = np.repeat(indptr[chosen] - before, lengths) + np.arange(lengths.sum())
        # Filled in memory of torch, whose alignment is always the same: that of NumPy is not, and
        # a product of matrices may depend on it in its last bit.
        features = torch.empty(len(pairs), len(self.mean))
        into = features.numpy()
        np.take(data.features, pairs, axis=0, out=into, mode="clip")
        into -= self.mean
        into /= self.scale
        score = data.score[pairs]
        return _Batch(
            features,
            torch.tensor(score),
            torch.tensor(score * data.stands_for[pairs]),
            torch.tensor(np.repeat(np.arange(len(chosen)), lengths)),
            torch.tensor(np.flatnonzero(data.is_target[pairs])),
            torch.tensor(data.weight[chosen]),
            len(chosen),
        )

    def _losses(self, batch: _Batch) -> Tensor:
        """(examples,) the loss of each, times its weight."""
        factor = torch.exp(self.network(batch.features))
        every = torch.zeros(batch.size).index_add(0, batch.example, batch.weighted * factor)
        target = torch.zeros(batch.size).index_add(
            0, batch.example[batch.target], (batch.score * factor)[batch.target]
        )
        return batch.weight * (torch.log(every + LEAST) - torch.log(target + LEAST))

    def _set_rate(self) -> None:
        """Linear warm-up, and linear decay to 5 %."""
        steps = self.epochs * self.batches
        warmup = min(1.0, (self.step + 1) / WARMUP_STEPS)
        self.rate = self.training.learning_rate * warmup * (1 - (1 - LAST_RATE) * self.step / steps)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate
        self.step += 1

    def _report(self, epoch: int, done: int, loss: float) -> None:
        before, total = (epoch - 1) * len(self.fitted), self.epochs * len(self.fitted)
        note = f"epoch {epoch}, loss {loss:.4f}"
        self.reporter.progress(self.title, before + done, total, "examples", note)
