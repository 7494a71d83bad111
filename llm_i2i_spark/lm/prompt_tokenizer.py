"""The words of a prompt as tokens of a base model: its frame, and the texts of items."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from llm_i2i_spark.lm.packing import Tokens
from llm_i2i_spark.prompts.render import render_item, split_chat
from llm_i2i_spark.prompts.templates import Template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEXTS_KEPT = 100_000
"""Items whose tokens are kept, since each is in many prompts; some 400 bytes each."""


class PromptTokenizer:
    """Tokenizes the parts of prompts.

    Args:
        tokenizer: of the base model.
        template: wording of the prompts.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, template: Template) -> None:
        self._tokenizer, self._template = tokenizer, template
        self.item_text = lru_cache(TEXTS_KEPT)(self._item_text)

    def frame(self) -> tuple[Tokens, Tokens]:
        """Tokens before the first and after the last item, chat markers included."""
        tokenizer = self._tokenizer

        def chat(messages: Sequence[dict[str, str]]) -> str:
            return str(
                tokenizer.apply_chat_template(
                    list(messages), tokenize=False, add_generation_prompt=True
                )
            )

        before, after = split_chat(self._template, chat if tokenizer.chat_template else None)
        return self._tokens(before, not tokenizer.chat_template), self._tokens(after, False)

    def _item_text(self, pattern: str, text: str) -> Tokens:
        """Tokens of an item's text, in which special tokens are ordinary words.

        Args:
            pattern: of the template, with a place for the text.
            text: title, brand and category.
        """
        words = render_item(pattern, text)
        found = self._tokenizer.encode(words, add_special_tokens=False, split_special_tokens=True)
        return np.array(found, np.int64)

    def _tokens(self, words: str, special: bool) -> Tokens:
        return np.array(self._tokenizer.encode(words, add_special_tokens=special), np.int64)
