"""How many tokens the models read for a log, and the operations that takes.

Operations are counted as usual: two for each parameter of a matrix and token, two for each number
of an inner product, attention over what a token sees; training takes three times a forward pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from llm_i2i_spark.config.config import Config
from llm_i2i_spark.cost.log_size import LogSize
from llm_i2i_spark.cost.model_size import ModelSize
from llm_i2i_spark.lm.token_limits import CODE_LENGTH, CODE_SIZE, are_atomic
from llm_i2i_spark.prompts.templates import DISCRIMINATOR, GENERATOR, Template

CHAT_TOKENS = 12
"""Of the marks that a chat template puts around a message; assumed."""
BACKWARD = 3
"""Operations of a training step over those of its forward pass."""


class PromptShape(NamedTuple):
    """Tokens of the parts of a prompt.

    Attributes:
        frame: before the first and after the last item.
        item: of a history.
        request: that a candidate adds to a history.
        codes: item tokens of an item.
        limit: tokens of a prompt at most.
        question: of the frame those after the last item.
    """

    frame: float
    item: float
    request: float
    codes: int
    limit: int
    question: float = 0

    def history(self, items: float) -> float:
        """Tokens of a history of so many items, the oldest left out where they do not fit."""
        fitting = max(math.floor((self.limit - self.frame) / self.item), 0)
        return self.frame + min(items, fitting) * self.item

    @classmethod
    def of_config(cls, config: Config, log: LogSize, template: Template) -> PromptShape:
        """The prompts of a role, with items whose texts have the log's mean length."""
        codes = 1 if are_atomic(config.sft.item_tokens, int(log.items)) else CODE_LENGTH
        limit = config.sft.max_length
        if config.layout == "sequence":
            return cls(1, codes, codes + 1, codes, limit)

        def text(*patterns: str) -> float:
            plain = "".join(patterns).replace("{text}", "")
            titles = sum(pattern.count("{text}") for pattern in patterns) * log.text_bytes
            return (len(plain.encode()) + titles) / config.cost.bytes_per_token

        if not template.candidate:
            frame = text(template.before, template.after) + CHAT_TOKENS
            question = text(template.after) + CHAT_TOKENS / 2
            return cls(frame, text(template.item) + codes, 0, codes, limit, question)
        request = text(template.candidate, template.after) + codes + CHAT_TOKENS / 2
        frame = text(template.before) + CHAT_TOKENS / 2
        return cls(frame, text(template.item) + codes, request, codes, limit)


@dataclass
class Reading:
    """Rows of tokens that a model reads; added to row by row.

    Attributes:
        prompts: rows, or histories where several rows are of one.
        tokens: of all rows, padding not counted.
        pairs: tokens that see each other.
        scores: inner products of a hidden state and an item's embedding.
        embedded: item embeddings that are made of text features.
    """

    prompts: float = 0
    tokens: float = 0
    pairs: float = 0
    scores: float = 0
    embedded: float = 0

    def add(
        self, rows: float, tokens: float, scores: float = 0, *, prompts: float | None = None
    ) -> None:
        """Add equal rows.

        Args:
            rows: how many.
            tokens: of each.
            scores: inner products of each.
            prompts: that they stand for, where these are not as many.
        """
        self.prompts += rows if prompts is None else prompts
        self.tokens += rows * tokens
        self.pairs += rows * tokens * tokens / 2
        self.scores += rows * scores

    def add_beams(self, rows: float, beams: float, seen: float, scores: float) -> None:
        """Add one more token to each beam of equal rows, whose keys and values are kept.

        Args:
            rows: how many.
            beams: of each.
            seen: tokens that each beam sees.
            scores: inner products of each beam.
        """
        self.tokens += rows * beams
        self.pairs += rows * beams * seen
        self.scores += rows * beams * scores

    def operations(self, model: ModelSize) -> float:
        """Of a forward pass over all rows."""
        return (
            2 * model.matrices * self.tokens
            + 4 * model.layers * model.hidden * self.pairs
            + 2 * model.hidden * self.scores
            + 2 * model.features * model.hidden * self.embedded
        )


@dataclass(frozen=True)
class Counting:
    """What the prompts of a log hold, by the options.

    Attributes:
        config: the options.
        log: the log.
    """

    config: Config
    log: LogSize

    @property
    def generator(self) -> PromptShape:
        """The generator's prompts."""
        return PromptShape.of_config(self.config, self.log, GENERATOR)

    @property
    def discriminator(self) -> PromptShape:
        """The discriminator's prompts."""
        return PromptShape.of_config(self.config, self.log, DISCRIMINATOR)

    @property
    def item_tokens(self) -> float:
        """T, the item tokens of the vocabulary."""
        codes = self.generator.codes
        return self.log.items if codes == 1 else codes * CODE_SIZE

    def trained_lengths(self) -> list[tuple[int, float]]:
        """Items of a user that models are trained on, and the users with as many: of the
        calibration users the last item is withheld, and `export.max_users` may leave some out.
        """
        export, found = self.config.export, []
        share, most = export.calibration_share, export.max_users
        drawn = 1.0 if most is None else min(1.0, most / max(self.log.users, 1.0))
        for items, of_all in enumerate(self.log.lengths, start=1):
            users = drawn * of_all
            withheld = users * share if items >= 3 else 0.0
            found += [(items, users - withheld), (items - 1, withheld)]
        return [(items, users) for items, users in found if items >= 2 and users]
