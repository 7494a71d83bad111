"""Proposals: the most probable items of the catalogue after a history, each with its
log-probability.

Nothing outside the catalogue can come out. With one token an item, one forward pass ranks the whole
catalogue exactly. With codes, a beam search walks the trie; at every step the softmax runs over the
codes that the trie allows, so the probabilities of all items add up to one, and a beam is dropped
only where the user owns everything below it, so k items are found whenever they exist.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.packing import Segment, Tokens, prompt_batch, token_batches, tree_batch
from llm_i2i_spark.lm.trie import ItemTrie
from llm_i2i_spark.prompts.items import Item

BEAMS_PER_PROPOSAL = 2
SCORES_AT_ONCE = 50_000_000

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Proposal(NamedTuple):
    """An item and its log-probability under the softmax over the whole catalogue, owned items
    included.
    """

    item_id: str
    log_prob: float


class Ranking(NamedTuple):
    """Chosen items of a batch of users: ascending by user, then most probable first, then by item."""

    users: Ints
    items: Ints
    log_probs: Floats


def propose(
    checkpoint: LoadedCheckpoint,
    histories: Sequence[Sequence[Item]],
    owned: Sequence[Collection[str]],
    k: int,
    batch_tokens: int,
) -> list[list[Proposal]]:
    """The k most probable items for each history, those owned left out.

    Args:
        checkpoint: of a generator.
        histories: items of each user, oldest first.
        owned: ids that must not be proposed to each user.
        k: items a user; fewer come back only where the catalogue has no more.
        batch_tokens: tokens of one forward pass, padding counted.

    Returns:
        For each history its proposals, by log-probability descending, then by item id.

    Raises:
        StageError: the model's scores are not numbers.
    """
    prompts = [checkpoint.encoder.prompt(history) for history in histories]
    held = [_indexes(checkpoint, ids) for ids in owned]
    proposals: list[list[Proposal]] = [[] for _ in prompts]
    search = _Search(checkpoint, k)
    # Batches are cut from an order of contents, so that they do not depend on the order in which
    # the rows arrived.
    order = sorted(range(len(prompts)), key=lambda row: (len(prompts[row]), prompts[row].tobytes()))
    sizes = [search.tokens_needed(len(prompts[row])) for row in order]
    for batch in token_batches(sizes, batch_tokens):
        chosen = [order[place] for place in batch]
        ranking = search.rank([prompts[row] for row in chosen], [held[row] for row in chosen])
        for user, item, log_prob in zip(*(column.tolist() for column in ranking), strict=True):
            proposals[chosen[user]].append(
                Proposal(checkpoint.vocabulary.item_ids[item], min(log_prob, 0.0))
            )
    return proposals


def _indexes(checkpoint: LoadedCheckpoint, item_ids: Collection[str]) -> Ints:
    found = (checkpoint.vocabulary.index(item_id) for item_id in item_ids)
    return np.array(sorted({index for index in found if index is not None}), np.int64)


class _Search:
    """Ranks the catalogue for batches of prompts; holds what all batches share."""

    def __init__(self, checkpoint: LoadedCheckpoint, k: int) -> None:
        self._model, self._device = checkpoint.model, checkpoint.device
        self._codes, self._length = checkpoint.vocabulary.codes, checkpoint.vocabulary.length
        self._k, self._beams = k, k * BEAMS_PER_PROPOSAL
        self._trie = ItemTrie(self._codes) if self._length > 1 else None
        with torch.inference_mode():
            self._table = self._model.item_embeddings().float()

    def tokens_needed(self, prompt_length: int) -> int:
        """Tokens of the widest row that a prompt grows to."""
        return prompt_length + self._beams * (self._length - 1)

    @torch.inference_mode()
    def rank(self, prompts: Sequence[Tokens], held: Sequence[Ints]) -> Ranking:
        """The k best items of each prompt that are not held."""
        if self._trie is None:
            return self._rank_tokens(prompts, held)
        return self._search_beams(self._trie, prompts, held)

    def _rank_tokens(self, prompts: Sequence[Tokens], held: Sequence[Ints]) -> Ranking:
        hidden = self._after_prompts(prompts)
        rows = max(1, SCORES_AT_ONCE // len(self._table))
        parts = []
        for start in range(0, len(prompts), rows):
            log_probs = torch.log_softmax(self._scores(hidden[start : start + rows]), dim=1)[
                :, self._codes[:, 0]
            ]
            users = np.repeat(
                np.arange(len(log_probs)), [len(items) for items in held[start : start + rows]]
            )
            log_probs[users, np.concatenate(held[start : start + rows])] = -torch.inf
            part = _best(log_probs, self._k)
            parts.append(part._replace(users=part.users + start))
        return Ranking(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def _search_beams(
        self, trie: ItemTrie, prompts: Sequence[Tokens], held: Sequence[Ints]
    ) -> Ranking:
        users, nodes = np.arange(len(prompts)), np.zeros(len(prompts), np.int64)
        log_probs = np.zeros(len(prompts))
        written = np.empty((len(prompts), 0), np.int64)
        owned = _OwnedLeaves(trie, held)
        for level in range(trie.length):
            hidden = (
                self._after_prompts(prompts)
                if level == 0
                else self._after_beams(prompts, users, written)
            )
            parents, children, tokens = trie.children(level, nodes)
            steps = _allowed_log_softmax(self._scores(hidden), parents, tokens)
            totals = log_probs[parents] + steps
            alive = owned.leave_some(level + 1, users[parents], children)
            width = self._beams if level + 1 < trie.length else self._k
            ties = children if level + 1 < trie.length else trie.items[children]
            kept = np.flatnonzero(alive)
            kept = kept[_top(users[parents[kept]], totals[kept], ties[kept], width)]
            written = np.concatenate([written[parents[kept]], tokens[kept, None]], axis=1)
            users, nodes, log_probs = users[parents[kept]], children[kept], totals[kept]
        return Ranking(users, trie.items[nodes], log_probs)

    def _after_prompts(self, prompts: Sequence[Tokens]) -> Tensor:
        """[B, H] hidden states at the last token of each prompt."""
        tokens, positions, last = (part.to(self._device) for part in prompt_batch(prompts))
        hidden: Tensor = self._model(tokens, positions)[
            torch.arange(len(prompts), device=self._device), last
        ]
        return hidden

    def _after_beams(self, prompts: Sequence[Tokens], users: Ints, written: Ints) -> Tensor:
        """[N, H] hidden states after each beam's codes; beams of a user (ascending) share the
        prompt in one row.
        """
        segments: list[list[Segment]] = [[] for _ in prompts]
        for user, codes in zip(users.tolist(), written + self._model.vocabulary_size, strict=True):
            segments[user].append(Segment(len(prompts[user]), codes))
        batch = tree_batch(prompts, segments).to(self._device)
        hidden: Tensor = self._model(batch.tokens, batch.position_ids, batch.mask)[
            batch.rows, batch.columns
        ]
        return hidden

    def _scores(self, hidden: Tensor) -> Tensor:
        scores = hidden.float() @ self._table.T
        if not bool(torch.isfinite(scores).all()):
            raise StageError(
                "generate: the model's scores are not numbers (NaN or infinite), so its checkpoint"
                " is unusable: run sft again."
            )
        return scores


class _OwnedLeaves:
    """Which leaves of the trie each user of a batch owns."""

    def __init__(self, trie: ItemTrie, held: Sequence[Ints]) -> None:
        self._trie = trie
        leaf_of = np.argsort(trie.items)
        self._stride = len(trie.items) + 1
        self._keys = np.sort(
            np.concatenate(
                [user * self._stride + leaf_of[items] for user, items in enumerate(held)]
            )
        )

    def leave_some(self, level: int, users: Ints, nodes: Ints) -> NDArray[np.bool_]:
        """Whether a node has an item that its user does not own."""
        first, end = self._trie.leaves(level, nodes)
        owned = np.searchsorted(self._keys, users * self._stride + end) - np.searchsorted(
            self._keys, users * self._stride + first
        )
        return np.asarray(owned < end - first)


def _allowed_log_softmax(scores: Tensor, parents: Ints, tokens: Ints) -> Floats:
    """[M] log-probabilities of the children, normalised among those of the same parent (row of
    scores).
    """
    chosen = (
        scores[
            torch.from_numpy(parents).to(scores.device), torch.from_numpy(tokens).to(scores.device)
        ]
        .double()
        .cpu()
        .numpy()
    )
    starts = np.flatnonzero(np.diff(parents, prepend=-1))
    sizes = np.diff(starts, append=len(parents))
    highest = np.repeat(np.maximum.reduceat(chosen, starts), sizes)
    sums = np.repeat(np.add.reduceat(np.exp(chosen - highest), starts), sizes)
    return np.asarray(chosen - highest - np.log(sums), np.float64)


def _best(log_probs: Tensor, k: int) -> Ranking:
    """The k best columns of each row of [B, n_items], -inf left out; ties at the edge go to the
    lower column.
    """
    edge = torch.topk(log_probs, min(k, log_probs.shape[1]), dim=1).values[:, -1:]
    candidates = ((log_probs >= edge) & (log_probs > -torch.inf)).nonzero(as_tuple=True)
    users, items = (place.cpu().numpy() for place in candidates)
    values = log_probs[candidates].double().cpu().numpy()
    kept = _top(users, values, items, k)
    return Ranking(users[kept], items[kept], values[kept])


def _top(users: Ints, values: Floats, ties: Ints, k: int) -> Ints:
    """Places of the k highest values of each user, by user, value descending, tie ascending."""
    order = np.lexsort((ties, -values, users))
    ordered = users[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    return np.asarray(order[rank < k], np.int64)
