"""Histories and scoring requests as token ids, the same for training and inference, in two layouts.

Layout `sequence` (no tokenizer): a token for the beginning, then item tokens. A scoring request
adds the candidate's tokens, marked as such, and a query: the last visible token once more, at the
same position, marked as a query. Layout `instruct`: a chat prompt with titles and item tokens. In
both, a history is encoded item by item, so that a request can see any part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.sections.export import Layout
from llm_i2i_spark.lm.model import BOS, CANDIDATE, QUERY
from llm_i2i_spark.lm.packing import IGNORE_INDEX, Example, Integers, Tokens
from llm_i2i_spark.lm.prompt_tokenizer import PromptTokenizer
from llm_i2i_spark.lm.trees import Suffix
from llm_i2i_spark.lm.vocabulary import ItemVocabulary
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.prompts.templates import Template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class ScoringRequest(NamedTuple):
    """A candidate to be scored as the next item after the beginning of a history.

    Attributes:
        prefix_length: number of items of the history that come before the candidate.
        candidate: the item to score.
    """

    prefix_length: int
    candidate: Item


class SharedPrefixTree(NamedTuple):
    """One history, encoded once, and the requests that share it.

    Attributes:
        prefix: [n] token ids of the shared history.
        suffixes: one for each request; a label is read at its last token, the tokens of a next item
            at as many of its last ones.
        requests: index of the request that each suffix belongs to.
    """

    prefix: Tokens
    suffixes: list[Suffix]
    requests: list[int]


class _EncodedRequest(NamedTuple):
    """A request: its number, how many known items come before it, its tokens, and for how many of
    them the history makes room.
    """

    number: int
    end: int
    tokens: Tokens
    reserved: int


class Encoder:
    """Encodes histories, targets and scoring requests as token ids.

    Args:
        vocabulary: of the catalogue; items it does not know are left out of histories.
        vocabulary_size: V, the token id of the first item token.
        tokenizer: of the base model; None for layout `sequence`.
        template: wording of the prompts in layout `instruct`.
        max_items: number of latest items of a history that are shown.
        max_length: tokens of a prompt or scoring request; older items are left out until it fits.
        bos: token id that a history begins with in layout `sequence`.
    """

    def __init__(
        self,
        vocabulary: ItemVocabulary,
        vocabulary_size: int,
        tokenizer: PreTrainedTokenizerBase | None,
        template: Template,
        max_items: int,
        max_length: int,
        bos: int = BOS,
    ) -> None:
        self.vocabulary, self.tokenizer = vocabulary, tokenizer
        self.max_items, self.max_length = max_items, max_length
        self._first_item_token = vocabulary_size
        self._all_tokens = vocabulary_size + vocabulary.n_tokens
        self._template = template
        self._words = PromptTokenizer(tokenizer, template) if tokenizer is not None else None
        self._before, self._after = (
            (np.array([bos], np.int64), np.empty(0, np.int64))
            if self._words is None
            else self._words.frame()
        )

    @property
    def layout(self) -> Layout:
        """`sequence` without a tokenizer, `instruct` with one."""
        return "sequence" if self.tokenizer is None else "instruct"

    def item_tokens(self, tokens: Integers) -> Integers:
        """The item tokens (numbers 0..T-1) among unmarked token ids."""
        return tokens[tokens >= self._first_item_token] - self._first_item_token

    def prompt(self, history: Sequence[Item]) -> Tokens:
        """[n] token ids after which the generator predicts the next item."""
        encoded = [self._history_item(item) for item in self._known(history)]
        shown = self._fitting(encoded, len(self._before) + len(self._after))
        return np.concatenate([self._before, *shown, self._after])

    def next_item_example(
        self, history: Sequence[Item], targets: Sequence[Item], weights: Sequence[float]
    ) -> Example:
        """One training example: the history as a prompt, then the targets, each predicted with its
        weight.

        Args:
            history: items before the first target.
            targets: in layout `instruct` usually one; in `sequence` every later item of the user.
                Unknown ones are left out.
            weights: loss weight of each target, which every token of the item gets.
        """
        prompt = self.prompt(history)
        known = [
            (index, weight)
            for index, weight in zip(map(self._index, targets), weights, strict=True)
            if index is not None
        ]
        codes = self.vocabulary.codes[[index for index, _ in known]].reshape(-1)
        tokens = np.concatenate([prompt, codes[:-1] + self._first_item_token])
        example = Example(
            tokens, np.full(len(tokens), IGNORE_INDEX, np.int64), np.zeros(len(tokens), np.float32)
        )
        if len(codes):
            example.targets[len(prompt) - 1 :] = codes
            example.weights[len(prompt) - 1 :] = np.repeat(
                np.array([w for _, w in known], np.float32), self.vocabulary.length
            )
        return example

    def trees(
        self, history: Sequence[Item], requests: Sequence[ScoringRequest]
    ) -> list[SharedPrefixTree]:
        """The scoring requests of one history; those whose shown items start at the same item share
        a tree.

        A request sees the latest `max_items` known items before it. Requests early in the history
        therefore share one tree; a later one, which no longer shows the first items, has another.

        Raises:
            InputDataError: a candidate is not in the vocabulary, and the layout knows items by
                their tokens alone.
        """
        before, encoded = self._known_before(history), []
        for number, (prefix_length, candidate) in enumerate(requests):
            tokens, end = self._request_tokens(candidate), before[min(prefix_length, len(history))]
            encoded.append(_EncodedRequest(number, end, tokens, len(tokens)))
        return self._sharing(history, encoded)

    def next_item_trees(self, items: Sequence[Item]) -> list[SharedPrefixTree]:
        """Prompts for every known item of a user but the first, after those before it; each ends
        where the last token of the item is predicted. What a prompt says is what `prompt` says.
        """
        before, encoded = self._known_before(items), []
        for number, item in enumerate(items[1:], start=1):
            if self._index(item) is not None:
                tokens = np.concatenate([self._after, self._item_tokens(item)[:-1]])
                encoded.append(_EncodedRequest(number, before[number], tokens, len(self._after)))
        return self._sharing(items, encoded)

    def _known_before(self, history: Sequence[Item]) -> list[int]:
        """[n + 1] how many known items come before each place of a history."""
        return list(accumulate((self._index(item) is not None for item in history), initial=0))

    def _sharing(
        self, history: Sequence[Item], requests: Sequence[_EncodedRequest]
    ) -> list[SharedPrefixTree]:
        encoded = [self._history_item(item) for item in self._known(history)]
        # By end and token count, which most requests of a history share.
        starts: dict[tuple[int, int], int] = {}
        by_start: dict[int, list[_EncodedRequest]] = {}
        for request in requests:
            key = (request.end, request.reserved)
            if key not in starts:
                starts[key] = self._first_shown(encoded, *key)
            by_start.setdefault(starts[key], []).append(request)
        return [self._tree(encoded, start, group) for start, group in sorted(by_start.items())]

    def _tree(
        self, encoded: Sequence[Tokens], start: int, requests: Sequence[_EncodedRequest]
    ) -> SharedPrefixTree:
        parts = [self._before, *encoded[start : max(request.end for request in requests)]]
        prefix, ends = np.concatenate(parts), np.cumsum([len(part) for part in parts])
        suffixes = [
            self._suffix(prefix, int(ends[request.end - start]), request.tokens)
            for request in requests
        ]
        return SharedPrefixTree(prefix, suffixes, [request.number for request in requests])

    def _suffix(self, prefix: Tokens, visible: int, request: Tokens) -> Suffix:
        if self.tokenizer is not None:
            return Suffix(visible, request)
        # The query has the position of the last item, so that its hidden state starts as the
        # generator's for the next item.
        tokens = np.concatenate(
            [
                request + CANDIDATE * self._all_tokens,
                prefix[visible - 1 : visible] + QUERY * self._all_tokens,
            ]
        )
        positions = np.arange(visible, visible + len(tokens))
        positions[-1] = visible - 1
        return Suffix(visible, tokens, positions, request - self._first_item_token)

    def _first_shown(self, encoded: Sequence[Tokens], end: int, request_tokens: int) -> int:
        """Index of the first item that a request shows: at most max_items before `end`, and no more
        than fit.
        """
        first = max(0, end - self.max_items)
        return end - len(self._fitting(encoded[first:end], len(self._before) + request_tokens))

    def _fitting(self, encoded: Sequence[Tokens], reserved: int) -> Sequence[Tokens]:
        """The latest max_items encoded items that fit beside `reserved` tokens; the instruction and
        the candidate always stay.
        """
        free = self.max_length - reserved
        kept = 0
        for tokens in reversed(encoded[-self.max_items :]):
            free -= len(tokens)
            if free < 0:
                break
            kept += 1
        return encoded[len(encoded) - kept :]

    def _known(self, history: Sequence[Item]) -> list[Item]:
        return [item for item in history if self._index(item) is not None]

    def _index(self, item: Item) -> int | None:
        return self.vocabulary.index(item.item_id)

    def _item_tokens(self, item: Item) -> Tokens:
        index = self._index(item)
        return (
            np.empty(0, np.int64)
            if index is None
            else self.vocabulary.codes[index] + self._first_item_token
        )

    def _history_item(self, item: Item) -> Tokens:
        return self._render(self._template.item, item)

    def _request_tokens(self, candidate: Item) -> Tokens:
        if self.tokenizer is None:
            if self._index(candidate) is None:
                raise InputDataError(
                    f"The discriminator does not know item {candidate.item_id!r}: run export and"
                    " sft again on this catalogue."
                )
            return self._item_tokens(candidate)
        return np.concatenate([self._render(self._template.candidate, candidate), self._after])

    def _render(self, pattern: str, item: Item) -> Tokens:
        if self._words is None:
            return self._item_tokens(item)
        return np.concatenate([self._words.item_text(pattern, item.text), self._item_tokens(item)])
