"""A model counts the tokens that it reads, and the estimate of a cost says as many beforehand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from llm_i2i_spark.config.config import Config
from llm_i2i_spark.cost.log_size import LogSize
from llm_i2i_spark.cost.model_size import ModelSize
from llm_i2i_spark.cost.works import works_of
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.decoding import rank_catalogue
from llm_i2i_spark.lm.encoding import Encoder, ScoringRequest
from llm_i2i_spark.lm.scoring import score
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.prompts.templates import DISCRIMINATOR, GENERATOR
from llm_i2i_spark.sft.examples import GeneratorRow
from llm_i2i_spark.sft.objectives.next_item_trees import NextItemTreesObjective

pytestmark = pytest.mark.lm
ITEMS, PER_USER = 30, 6
LENGTHS = (1, 2, 2, 5, 9, 12)
"""Items of each user."""


def log_of(items: Sequence[Item]) -> LogSize:
    users = Counter(LENGTHS)
    text_bytes = sum(len(item.text.encode()) for item in items) / len(items)
    return LogSize(tuple(users[n] for n in range(1, max(LENGTHS) + 1)), len(items), text_bytes)


def estimated(stage: str, name: str, log: LogSize, **settings: Any) -> float:
    config = Config().with_settings(
        {
            "generate.per_user": PER_USER,
            **{key.replace("__", "."): value for key, value in settings.items()},
        }
    )
    model = ModelSize("any", 1, 0, 1, 1, 1)  # tokens do not depend on it
    return {work.name: work.tokens for work in works_of(stage, config, log, model)}[name]


def propose_to_all(checkpoint: LoadedCheckpoint, items: Sequence[Item]) -> int:
    histories = [items[:length] for length in LENGTHS]
    rank_catalogue(checkpoint, histories, [[]] * len(LENGTHS), PER_USER, 4096)
    return checkpoint.tokens_read


def score_all(checkpoint: LoadedCheckpoint, items: Sequence[Item]) -> int:
    asked = [items[length : length + PER_USER] for length in LENGTHS]
    requests = [
        [ScoringRequest(length, item) for item in of_user]
        for length, of_user in zip(LENGTHS, asked, strict=True)
    ]
    score(checkpoint, [items[:length] for length in LENGTHS], requests, 4096)
    return checkpoint.tokens_read


def test_item_tokens_are_read_as_estimated(small: Any) -> None:
    items = small.items(ITEMS)
    generator = small.checkpoint(ITEMS, max_items=50)
    assert propose_to_all(generator, items) == estimated(
        "generate", "items for users", log_of(items)
    )
    discriminator = small.checkpoint(ITEMS, template=DISCRIMINATOR, max_items=10)
    assert score_all(discriminator, items) == estimated(
        "discriminate", "score candidates", log_of(items)
    )


def test_prompts_with_titles_are_read_nearly_as_estimated(
    small: Any, base_model_folder: Callable[..., Path]
) -> None:
    items = small.items(ITEMS)
    base = base_model_folder("llama")
    generator = small.checkpoint(ITEMS, template=GENERATOR, max_items=10, base=base)
    discriminator = small.checkpoint(ITEMS, template=DISCRIMINATOR, max_items=10, base=base)
    log = log_of(items)
    shown = [item.text for length in LENGTHS for item in items[:length]]
    words = [*shown, *len(LENGTHS) * (GENERATOR.before, GENERATOR.after)]
    settings = {"sft.base_model": str(base), "cost.bytes_per_token": bytes_a_token(base, words)}
    read = propose_to_all(generator, items)
    assert read == pytest.approx(estimated("generate", "items for users", log, **settings), rel=0.1)
    asked = [item.text for length in LENGTHS for item in items[length : length + PER_USER]]
    question = (DISCRIMINATOR.candidate, DISCRIMINATOR.after)
    words = [*shown, *asked, *len(asked) * question, *len(LENGTHS) * [DISCRIMINATOR.before]]
    settings["cost.bytes_per_token"] = bytes_a_token(base, words)
    read = score_all(discriminator, items)
    expected = estimated("discriminate", "score candidates", log, **settings)
    assert read == pytest.approx(expected, rel=0.1)


def test_a_pass_over_the_users_of_layout_dialogue_is_nearly_as_long_as_estimated(
    small: Any, base_model_folder: Callable[..., Path]
) -> None:
    items, base = small.items(ITEMS), base_model_folder("llama")
    checkpoint = small.checkpoint(ITEMS, template=GENERATOR, base=base)
    model, words = checkpoint.model, checkpoint.vocabulary
    encoder = Encoder(words, model.vocabulary_size, checkpoint.tokenizer, GENERATOR, 10, 1024)
    rows = [GeneratorRow("u", [], items[:length], [1.0] * length) for length in LENGTHS]
    objective = NextItemTreesObjective(
        rows, encoder, np.ones(words.n_tokens, np.bool_), 0, torch.device("cpu")
    )
    users = [length for length in LENGTHS if length > 1]
    shown = [item.text for length in users for item in items[: min(length - 1, 10)]]
    questions = sum(length - 1 for length in users) * [GENERATOR.after]
    said = [*shown, *questions, *len(users) * [GENERATOR.before]]
    settings = {"sft.base_model": str(base), "export.layout": "dialogue", "sft.epochs": 1}
    settings |= {"export.calibration_share": 0.0, "cost.bytes_per_token": bytes_a_token(base, said)}
    expected = estimated("sft", "train generator", log_of(items), **settings)
    # This tokenizer writes the marks of the chat, one a question, letter by letter.
    assert objective.lengths.sum() == pytest.approx(expected, rel=0.15)


def bytes_a_token(base: Path, texts: Sequence[str]) -> float:
    tokens = AutoTokenizer.from_pretrained(base)(list(texts), add_special_tokens=False)["input_ids"]
    return len("".join(texts).encode()) / sum(map(len, tokens))


def test_codes_are_read_nearly_as_estimated(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    items = small.items(ITEMS)
    checkpoint = small.checkpoint(ITEMS, kind="codes", max_items=50)
    from llm_i2i_spark.cost import tokens, works

    length = checkpoint.vocabulary.length
    monkeypatch.setattr(tokens, "CODE_LENGTH", length)
    monkeypatch.setattr(works, "CODE_SIZE", 4)
    read = propose_to_all(checkpoint, items)
    expected = estimated("generate", "items for users", log_of(items), sft__item_tokens="codes")
    assert read == pytest.approx(expected, rel=0.1)
