"""Proposals: the most probable catalogue items after a history, each with its log-probability.

Only catalogue items can come out. With one token an item, one forward pass ranks the whole
catalogue exactly. With codes, a beam search walks the trie of all items; at every step the softmax
runs over the codes that the trie allows, so that the probabilities of all items add up to one. A
beam is dropped only if the user owns every item below it, so that k items are found whenever they
exist.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.lm.beam_states import BeamStates
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.history_states import states_after
from llm_i2i_spark.lm.packing import Tokens, token_batches
from llm_i2i_spark.lm.trie import ItemTrie
from llm_i2i_spark.prompts.items import Item

BEAMS_PER_PROPOSAL = 2
SCORES_AT_ONCE = {"cpu": 4_000_000, "cuda": 50_000_000}
"""Scores of items held at the same time: 16 MB, which stay in a CPU's cache, or 200 MB."""

Int64Array = NDArray[np.int64]
Float64Array = NDArray[np.float64]


class Proposal(NamedTuple):
    """A proposed item.

    Attributes:
        item_id: of the catalogue.
        log_prob: natural logarithm of its probability under the softmax over the whole catalogue,
            owned items included; at most 0.
    """

    item_id: str
    log_prob: float


class Ranking(NamedTuple):
    """The best items of a batch of users: users ascending, then log-probability descending, then
    item ascending.

    Attributes:
        users: [n] index of the user in the batch.
        items: [n] index of the item in the vocabulary.
        log_probs: [n] natural logarithms.
    """

    users: Int64Array
    items: Int64Array
    log_probs: Float64Array


def propose(
    checkpoint: LoadedCheckpoint,
    histories: Sequence[Sequence[Item]],
    owned: Sequence[Collection[str]],
    k: int,
    batch_tokens: int,
) -> list[list[Proposal]]:
    """The k most probable items after each history, owned ones left out.

    Args:
        checkpoint: of a generator.
        histories: items of each user, oldest first.
        owned: ids that must not be proposed to each user.
        k: items a user; fewer only where the catalogue has no more.
        batch_tokens: tokens of one forward pass at most, padding counted.

    Returns:
        For each history its proposals, log-probability descending, then item id ascending.

    Raises:
        StageError: scores of the model are NaN or infinite.
    """
    ranking = rank_catalogue(checkpoint, histories, owned, k, batch_tokens)
    proposals: list[list[Proposal]] = [[] for _ in histories]
    for user, item, log_prob in zip(*(column.tolist() for column in ranking), strict=True):
        proposals[user].append(Proposal(checkpoint.vocabulary.item_ids[item], log_prob))
    return proposals


def rank_catalogue(
    checkpoint: LoadedCheckpoint,
    histories: Sequence[Sequence[Item]],
    owned: Sequence[Collection[str]],
    k: int,
    batch_tokens: int,
) -> Ranking:
    """What `propose` finds, as arrays: no object is made for an item, which takes longer than to
    rank it.

    Args and errors: those of `propose`.

    Returns:
        `users` are positions in `histories`; log-probabilities are at most 0.
    """
    prompts = [checkpoint.encoder.prompt(history) for history in histories]
    owned_items = [_item_indices(checkpoint, ids) for ids in owned]
    search = _CatalogueSearch(checkpoint, k)
    # An order of contents, so that batches do not depend on the order of the rows.
    order = sorted(range(len(prompts)), key=lambda row: (len(prompts[row]), prompts[row].tobytes()))
    sizes = [search.tokens_needed(len(prompts[row])) for row in order]
    parts = [Ranking(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for batch in token_batches(sizes, batch_tokens):
        rows = [order[position] for position in batch]
        found = search.rank([prompts[row] for row in rows], [owned_items[row] for row in rows])
        parts.append(found._replace(users=np.array(rows, np.int64)[found.users]))
    users, items, log_probs = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    by_user = np.argsort(users, kind="stable")
    # The log-probability of a certain item may come out as 1e-8 above zero.
    return Ranking(users[by_user], items[by_user], np.minimum(log_probs[by_user], 0.0))


def _item_indices(checkpoint: LoadedCheckpoint, item_ids: Collection[str]) -> Int64Array:
    indices = (checkpoint.vocabulary.index(item_id) for item_id in item_ids)
    return np.array(sorted({index for index in indices if index is not None}), np.int64)


class _CatalogueSearch:
    """Ranks the catalogue for batches of prompts; holds what all batches need."""

    def __init__(self, checkpoint: LoadedCheckpoint, k: int) -> None:
        self._model, self._device = checkpoint.model, checkpoint.device
        self._codes, self._length = checkpoint.vocabulary.codes, checkpoint.vocabulary.length
        self._k, self._beams = k, k * BEAMS_PER_PROPOSAL
        self._trie = ItemTrie(self._codes) if self._length > 1 else None
        with torch.inference_mode():
            of_tokens = self._model.item_embeddings().float()
        # Of an item's only token, in the order of the items.
        self._embeddings = of_tokens[self._codes[:, 0]] if self._trie is None else of_tokens

    def tokens_needed(self, prompt_length: int) -> int:
        """Tokens of the longest row that a prompt grows to during the search."""
        return prompt_length + self._beams * (self._length - 1)

    @torch.inference_mode()
    def rank(self, prompts: Sequence[Tokens], owned: Sequence[Int64Array]) -> Ranking:
        """The k best items after each prompt that the user does not own."""
        if self._trie is None:
            return self._rank_tokens(prompts, owned)
        return self._search_beams(self._trie, prompts, owned)

    def _rank_tokens(self, prompts: Sequence[Tokens], owned: Sequence[Int64Array]) -> Ranking:
        hidden = states_after(self._model, prompts, self._device)
        rows = max(1, SCORES_AT_ONCE[self._device.type] // len(self._embeddings))
        parts = []
        for start in range(0, len(prompts), rows):
            scores = hidden[start : start + rows].float() @ self._embeddings.T
            log_probs = torch.log_softmax(scores, dim=1)
            # One score that is no number makes all of its row none.
            _require_finite(log_probs[:, 0])
            users = np.repeat(
                np.arange(len(log_probs)), [len(items) for items in owned[start : start + rows]]
            )
            log_probs[users, np.concatenate(owned[start : start + rows])] = -torch.inf
            part = _best(log_probs, self._k)
            parts.append(part._replace(users=part.users + start))
        return Ranking(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def _search_beams(
        self, trie: ItemTrie, prompts: Sequence[Tokens], owned: Sequence[Int64Array]
    ) -> Ranking:
        users, nodes = np.arange(len(prompts)), np.zeros(len(prompts), np.int64)
        log_probs = np.zeros(len(prompts))
        paths = np.empty((len(prompts), 0), np.int64)
        owned_leaves = _OwnedLeaves(trie, owned)
        states = BeamStates(self._model, prompts, self._device)
        hidden = states.after_prompts
        for level in range(trie.length):
            parents, children, tokens = trie.children(level, nodes)
            steps = _allowed_log_softmax(self._scores(hidden), parents, tokens)
            totals = log_probs[parents] + steps
            proposable = owned_leaves.some_not_owned(level + 1, users[parents], children)
            width = self._beams if level + 1 < trie.length else self._k
            tie_order = children if level + 1 < trie.length else trie.items[children]
            kept = np.flatnonzero(proposable)
            kept = kept[_top_k(users[parents[kept]], totals[kept], tie_order[kept], width)]
            users, nodes, log_probs = users[parents[kept]], children[kept], totals[kept]
            if level + 1 < trie.length and len(users):
                paths = paths[parents[kept]]
                last = tokens[kept] + self._model.vocabulary_size
                hidden, columns = states.after_tokens(users, paths, last)
                paths = np.concatenate([paths, columns[:, None]], axis=1)
        return Ranking(users, trie.items[nodes], log_probs)

    def _scores(self, hidden: Tensor) -> Tensor:
        scores = hidden.float() @ self._embeddings.T
        _require_finite(scores)
        return scores


class _OwnedLeaves:
    """Which leaves of the trie each user of a batch owns."""

    def __init__(self, trie: ItemTrie, owned: Sequence[Int64Array]) -> None:
        self._trie = trie
        leaf_of_item = np.argsort(trie.items)
        self._stride = len(trie.items) + 1
        self._keys = np.sort(
            np.concatenate(
                [user * self._stride + leaf_of_item[items] for user, items in enumerate(owned)]
            )
        )

    def some_not_owned(self, level: int, users: Int64Array, nodes: Int64Array) -> NDArray[np.bool_]:
        """Whether a node has an item below it that its user does not own."""
        first, end = self._trie.leaves(level, nodes)
        start = users * self._stride
        owned = np.searchsorted(self._keys, start + end) - np.searchsorted(
            self._keys, start + first
        )
        return np.asarray(owned < end - first)


def _allowed_log_softmax(scores: Tensor, parents: Int64Array, tokens: Int64Array) -> Float64Array:
    """[M] log-probabilities of the children, normalised among those of the same parent (row of
    scores).
    """
    allowed = (
        scores[
            torch.from_numpy(parents).to(scores.device), torch.from_numpy(tokens).to(scores.device)
        ]
        .double()
        .cpu()
        .numpy()
    )
    starts = np.flatnonzero(np.diff(parents, prepend=-1))
    sizes = np.diff(starts, append=len(parents))
    highest = np.repeat(np.maximum.reduceat(allowed, starts), sizes)
    sums = np.repeat(np.add.reduceat(np.exp(allowed - highest), starts), sizes)
    return np.asarray(allowed - highest - np.log(sums), np.float64)


def _best(log_probs: Tensor, k: int) -> Ranking:
    """The k best columns of each row of [B, n_items], -inf left out; of equal ones the first.

    `torch.topk` alone would choose freely among equal values at the edge.
    """
    lowest, k = torch.finfo(log_probs.dtype).min, min(k, log_probs.shape[1])
    if log_probs.device.type == "cpu":  # where NumPy selects several times as fast
        table = log_probs.numpy()
        edge = np.partition(table, -k, axis=1)[:, -k, None]
        users, items = np.nonzero(table >= np.maximum(edge, lowest))
        values = table[users, items].astype(np.float64)
    else:
        best = torch.topk(log_probs, k, dim=1).values[:, -1:]
        above = (log_probs >= best.clamp(min=lowest)).nonzero(as_tuple=True)
        users, items = (indices.cpu().numpy() for indices in above)
        values = log_probs[above].double().cpu().numpy()
    kept = _top_k(users, values, items, k)
    return Ranking(users[kept], items[kept], values[kept])


def _require_finite(scores: Tensor) -> None:
    if not bool(torch.isfinite(scores).all()):
        raise StageError(
            "generate: the model's scores are not numbers (NaN or infinite), so its checkpoint"
            " is unusable: run sft again."
        )


def _top_k(users: Int64Array, values: Float64Array, tie_order: Int64Array, k: int) -> Int64Array:
    """Indices of the k highest values of each user: user ascending, value descending, tie order
    ascending.
    """
    order = np.lexsort((tie_order, -values, users))
    ordered = users[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    return np.asarray(order[rank < k], np.int64)
