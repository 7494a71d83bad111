"""How histories become tokens, the same for training and inference, for both layouts.

Layout `sequence` (no tokenizer): BOS, then item tokens; a question is the candidate's tokens,
marked as such, and a query: the last token that the question sees, once more and at the same
position, marked as a query. Layout `instruct`: a chat prompt with titles and item tokens. In both a
history is written item by item, so a question can see any part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from transformers import PreTrainedTokenizerBase

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.lm.model import BOS, CANDIDATE, QUERY
from llm_i2i_spark.lm.packing import IGNORED, Example, Segment, Tokens
from llm_i2i_spark.lm.vocabulary import ItemVocabulary
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.prompts.render import render_item, split_chat
from llm_i2i_spark.prompts.templates import DISCRIMINATOR, GENERATOR, Layout, Role


class Question(NamedTuple):
    """A candidate, asked about after the first `prefix_length` items of a history."""

    prefix_length: int
    candidate: Item


class Tree(NamedTuple):
    """One beginning with the endings that ask about it.

    Attributes:
        prefix: tokens of the shared history.
        segments: one ending a question; the label is read at its last token.
        questions: which of the given questions each segment answers.
    """

    prefix: Tokens
    segments: list[Segment]
    questions: list[int]


class _Asked(NamedTuple):
    """A question by its number, the end of the known items it sees, and its tokens."""

    number: int
    end: int
    tokens: Tokens


class Encoder:
    """Writes histories, targets and questions as token ids.

    Args:
        vocabulary: of the catalogue; items it does not know are left out of histories.
        vocabulary_size: V, the token id of the first item token.
        tokenizer: the base model's; None for layout `sequence`.
        role: which template to write with.
        max_items: latest items of a history that are shown.
        max_length: tokens of a prompt or question; older items are left out until it fits.
    """

    def __init__(
        self,
        vocabulary: ItemVocabulary,
        vocabulary_size: int,
        tokenizer: PreTrainedTokenizerBase | None,
        role: Role,
        max_items: int,
        max_length: int,
    ) -> None:
        self.vocabulary, self.tokenizer = vocabulary, tokenizer
        self.max_items, self.max_length = max_items, max_length
        self._first_item_token = vocabulary_size
        self._all_tokens = vocabulary_size + vocabulary.n_tokens
        self._template = GENERATOR if role == "generator" else DISCRIMINATOR
        self._head, self._tail = (
            (_token_array([BOS]), _token_array([]))
            if tokenizer is None
            else self._chat_frame(tokenizer)
        )

    @property
    def layout(self) -> Layout:
        """`sequence` without a tokenizer, `instruct` with one."""
        return "sequence" if self.tokenizer is None else "instruct"

    def prompt(self, history: Sequence[Item]) -> Tokens:
        """[n] tokens after which the generator names the next item."""
        shown = self._fitting(
            [self._shown(item) for item in self._known(history)], len(self._head) + len(self._tail)
        )
        return np.concatenate([self._head, *shown, self._tail])

    def generator_example(
        self, history: Sequence[Item], targets: Sequence[Item], weights: Sequence[float]
    ) -> Example:
        """One example: the history as a prompt, then the targets one after another, each predicted
        with its weight.

        Args:
            history: items before the first target.
            targets: in layout `instruct` usually one; in `sequence` every later item of the user.
                Unknown ones are left out.
            weights: of the targets; a weight holds for every token of its item.
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
            tokens, np.full(len(tokens), IGNORED, np.int64), np.zeros(len(tokens), np.float32)
        )
        if len(codes):
            example.targets[len(prompt) - 1 :] = codes
            example.weights[len(prompt) - 1 :] = np.repeat(
                np.array([w for _, w in known], np.float32), self.vocabulary.length
            )
        return example

    def trees(self, history: Sequence[Item], questions: Sequence[Question]) -> list[Tree]:
        """The questions about one history, sharing its tokens wherever they see the same beginning.

        A question sees the latest `max_items` known items before it, so questions about early parts
        of the history share one tree; one about a later part starts further on and has a tree of
        its own with the others asked at the same place.

        Raises:
            UserError: a candidate is not in the vocabulary and the layout knows items by their
                tokens alone.
        """
        known_before = np.cumsum([0] + [self._index(item) is not None for item in history])
        known = self._known(history)
        shown = [self._shown(item) for item in known]
        starts: dict[
            tuple[int, int], int
        ] = {}  # by end and length, which most questions of a history share
        by_start: dict[int, list[_Asked]] = {}
        for number, (prefix_length, candidate) in enumerate(questions):
            end = int(known_before[min(prefix_length, len(history))])
            asked = _Asked(number, end, self._question(candidate))
            place = (end, len(asked.tokens))
            if place not in starts:
                starts[place] = self._first_shown(shown, *place)
            by_start.setdefault(starts[place], []).append(asked)
        return [self._tree(shown, start, asked) for start, asked in sorted(by_start.items())]

    def _tree(self, shown: Sequence[Tokens], start: int, asked: Sequence[_Asked]) -> Tree:
        parts = [self._head, *shown[start : max(question.end for question in asked)]]
        prefix, ends = np.concatenate(parts), np.cumsum([len(part) for part in parts])
        segments = [
            self._segment(prefix, int(ends[question.end - start]), question.tokens)
            for question in asked
        ]
        return Tree(prefix, segments, [question.number for question in asked])

    def _segment(self, prefix: Tokens, visible: int, question: Tokens) -> Segment:
        if self.tokenizer is not None:
            return Segment(visible, question)
        # The query stands where the last item stands, so its state begins as the generator's for
        # the next item.
        tokens = np.concatenate(
            [
                question + CANDIDATE * self._all_tokens,
                prefix[visible - 1 : visible] + QUERY * self._all_tokens,
            ]
        )
        positions = np.arange(visible, visible + len(tokens))
        positions[-1] = visible - 1
        return Segment(visible, tokens, positions, question - self._first_item_token)

    def _first_shown(self, shown: Sequence[Tokens], end: int, question_length: int) -> int:
        """The first of the items before `end` that a question shows: at most max_items, and no more
        than fit.
        """
        first = max(0, end - self.max_items)
        return end - len(self._fitting(shown[first:end], len(self._head) + question_length))

    def _fitting(self, shown: Sequence[Tokens], taken: int) -> Sequence[Tokens]:
        """The latest max_items of the pieces that fit beside `taken` tokens; the instruction and
        candidate always stay.
        """
        room = self.max_length - taken
        kept = 0
        for piece in reversed(shown[-self.max_items :]):
            room -= len(piece)
            if room < 0:
                break
            kept += 1
        return shown[len(shown) - kept :]

    def _known(self, history: Sequence[Item]) -> list[Item]:
        return [item for item in history if self._index(item) is not None]

    def _index(self, item: Item) -> int | None:
        return self.vocabulary.index(item.item_id)

    def _tokens_of(self, item: Item) -> Tokens:
        index = self._index(item)
        return (
            np.empty(0, np.int64)
            if index is None
            else self.vocabulary.codes[index] + self._first_item_token
        )

    def _shown(self, item: Item) -> Tokens:
        return self._written(self._template.item, item)

    def _question(self, candidate: Item) -> Tokens:
        if self.tokenizer is None:
            if self._index(candidate) is None:
                raise UserError(
                    f"The discriminator does not know item {candidate.item_id!r}: run export and"
                    " sft again on this catalogue."
                )
            return self._tokens_of(candidate)
        return np.concatenate([self._written(self._template.candidate, candidate), self._tail])

    def _written(self, pattern: str, item: Item) -> Tokens:
        if self.tokenizer is None:
            return self._tokens_of(item)
        return np.concatenate(
            [_text_tokens(self.tokenizer, render_item(pattern, item.text)), self._tokens_of(item)]
        )

    def _chat_frame(self, tokenizer: PreTrainedTokenizerBase) -> tuple[Tokens, Tokens]:
        def chat(messages: Sequence[dict[str, str]]) -> str:
            return str(
                tokenizer.apply_chat_template(
                    list(messages), tokenize=False, add_generation_prompt=True
                )
            )

        before, after = split_chat(self._template, chat if tokenizer.chat_template else None)
        return _token_array(
            tokenizer.encode(before, add_special_tokens=not tokenizer.chat_template)
        ), _token_array(tokenizer.encode(after, add_special_tokens=False))


def _text_tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> Tokens:
    """Tokens of a title, in which special tokens are words like any other."""
    return _token_array(tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))


def _token_array(tokens: Sequence[int]) -> Tokens:
    return np.array(tokens, np.int64)
