"""The discriminator's objective, and the generator's own proposals as its hard negatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.decoding import propose
from llm_i2i_spark.lm.encoding import Encoder, Question, Tree
from llm_i2i_spark.lm.loss import LossSums, label_loss
from llm_i2i_spark.lm.packing import tree_batch
from llm_i2i_spark.lm.scoring import centre_labels
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.sft.distributed import Ranks
from llm_i2i_spark.sft.events import Reporter
from llm_i2i_spark.sft.examples import Judged

HARD_POOL = 30
MINING_TOKENS = 16_384
HISTORIES_AT_ONCE = 2048
CENTRED_GROUPS = 512


class DiscriminatorObjective:
    """Cross-entropy over (No, Yes): a history is read once, and its candidates share it by a tree
    mask.

    Args:
        groups: candidates by history.
        encoder: writes them as tokens, once.
        device: where the model is.
    """

    unit = "histories"

    def __init__(self, groups: Sequence[Judged], encoder: Encoder, device: torch.device) -> None:
        self._trees: list[list[Tree]] = [
            encoder.trees(group.history, _questions(group)) for group in groups
        ]
        self._labels = [np.array(group.labels, np.bool_) for group in groups]
        self._device = device
        self.weights: NDArray[np.float64] = np.array(
            [len(labels) for labels in self._labels], np.float64
        )

    def loss(self, engine: Any, chosen: Sequence[int], draws: torch.Generator) -> LossSums:
        """Σ CE and the number of labels of some histories."""
        trees = [tree for index in chosen for tree in self._trees[index]]
        labels = np.concatenate(
            [self._labels[index][tree.questions] for index in chosen for tree in self._trees[index]]
        )
        batch = tree_batch([tree.prefix for tree in trees], [tree.segments for tree in trees]).to(
            self._device
        )
        hidden = engine(batch.tokens, batch.position_ids, batch.mask)[batch.rows, batch.columns]
        return label_loss(
            engine.module.label_logits(hidden, batch.candidates),
            torch.from_numpy(labels).to(self._device),
        )


def centre_on(groups: Sequence[Judged], judge: LoadedCheckpoint) -> None:
    """Let a discriminator that is about to be trained start at Yes = No on average over the first
    groups; changes its model.
    """
    some = groups[:CENTRED_GROUPS]
    centre_labels(
        judge,
        [group.history for group in some],
        [_questions(group) for group in some],
        MINING_TOKENS,
    )


def _questions(group: Judged) -> list[Question]:
    return [Question(len(group.history), candidate) for candidate in group.candidates]


def with_hard_negatives(
    groups: Sequence[Judged],
    generator: LoadedCheckpoint,
    known: Mapping[str, set[str]],
    texts: Mapping[str, str],
    seed: int,
    ranks: Ranks,
    reporter: Reporter,
) -> list[Judged]:
    """Replace half of each history's random negatives by items that the generator ranks high there
    and the user does not have.

    They are drawn from its first 30, since the very first is too often an item the user would
    really take.

    Args:
        groups: candidates by history, the same on all ranks.
        known: items of every user, never a negative.
        texts: of the catalogue, by item id.
        seed: of the draw, which also depends on the place of the group.
    """
    mine = ranks.share(groups)
    pools: list[list[str]] = []
    for start in range(0, len(mine), HISTORIES_AT_ONCE):
        part = mine[start : start + HISTORIES_AT_ONCE]
        taken = [
            known.get(group.user_id, set())
            | {item.item_id for item in (*group.history, *group.candidates)}
            for group in part
        ]
        proposals = propose(
            generator, [group.history for group in part], taken, HARD_POOL, MINING_TOKENS
        )
        pools += [[proposal.item_id for proposal in proposed] for proposed in proposals]
        reporter.progress("hard negatives", len(pools), len(mine), "histories")
    everywhere = ranks.gather(pools, len(groups))
    return [
        _replace_half(group, pool, texts, np.random.default_rng([seed, place]))
        for place, (group, pool) in enumerate(zip(groups, everywhere, strict=True))
    ]


def _replace_half(
    group: Judged, pool: Sequence[str], texts: Mapping[str, str], rng: np.random.Generator
) -> Judged:
    negatives = [place for place, label in enumerate(group.labels) if not label]
    replaced = negatives[: min(len(negatives) // 2, len(pool))]
    candidates = list(group.candidates)
    for place, drawn in zip(replaced, rng.permutation(len(pool)), strict=False):
        candidates[place] = Item(pool[drawn], texts[pool[drawn]])
    return replace(group, candidates=candidates)
