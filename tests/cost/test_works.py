"""Tokens and operations against what is counted by hand, and against what models really read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from llm_i2i_spark.config.config import Config
from llm_i2i_spark.cost.log_size import LogSize, geometric_log
from llm_i2i_spark.cost.model_size import ModelSize
from llm_i2i_spark.cost.works import Work, works_of

MODEL = ModelSize("a model", matrices=100, embeddings=0, layers=2, hidden=8, features=4)


def config_of(**options: Any) -> Config:
    """The defaults with some options by dotted key, `__` for the dot."""
    return Config().with_settings({key.replace("__", "."): value for key, value in options.items()})


def tokens_by_name(works: Sequence[Work]) -> dict[str, float]:
    return {work.name: work.tokens for work in works}


def test_users_are_counted_by_the_items_that_models_see() -> None:
    # Users with 1, 3 and 4 items, of which the last is held out where there are two.
    counts = {
        "at_position": {"train": [3, 2, 1], "test": [0, 0, 1, 1]},
        "items": 9,
        "text_bytes": 10.0,
    }
    assert LogSize.of_counts(counts, ("train",)).lengths == (1, 1, 1)
    whole = LogSize.of_counts(counts, ("train", "test"))
    assert (whole.lengths, whole.users, whole.interactions) == ((1, 0, 1, 1), 3, 8)
    # Without the last of two or more that models would see.
    assert LogSize.of_counts(counts, ("train", "test"), 1).lengths == (1, 1, 1)


def test_the_operations_of_a_generator_are_those_counted_by_hand() -> None:
    config = config_of(
        export__calibration_share=0, sft__epochs=2, sft__sampled_negatives=0, generate__per_item=0
    )
    log = LogSize((1, 0, 2), items=10, text_bytes=0)  # a user of one item, two of three
    training = works_of("sft", config, log, MODEL)[0]
    # A row of three items is three tokens that predict three items, twice two rows; a token meets
    # 100 parameters, and half of 3 tokens in 2 layers of width 8, twice; each predicts 10 items.
    assert (training.prompts, training.tokens) == (4, 12)
    forward = 2 * 100 * 12 + 4 * 2 * 8 * 12 * 1.5 + 2 * 8 * 12 * 10 + 2 * 4 * 8 * 12
    assert training.operations == 3 * forward
    (generation,) = works_of("generate", config, log, MODEL)
    # The beginning, and the items.
    assert (generation.prompts, generation.tokens) == (3, 2 + 2 * 4)
    pairs = 2 * 2 / 2 + 2 * 4 * 4 / 2
    assert generation.operations == 2 * 100 * 10 + 4 * 2 * 8 * pairs + 2 * 8 * 3 * 10


def test_the_tokens_of_a_discriminator_are_those_counted_by_hand() -> None:
    config = config_of(
        export__calibration_share=0, generate__per_user=2, discriminate__score_real=True
    )
    log = LogSize((0, 0, 1), items=10, text_bytes=0)
    found = {work.name: work for work in works_of("sft", config, log, MODEL)}
    # After one item and after two: the beginning, the items, five candidates with their queries.
    assert found["train discriminator"].tokens == 4 * ((1 + 1 + 10) + (1 + 2 + 10))
    assert found["draw hard negatives"].tokens == 2 + 3
    scored = tokens_by_name(works_of("discriminate", config, log, MODEL))
    assert scored == {"score candidates": 1 + 3 + 2 * 2, "score real interactions": 1 + 2 + 3 * 2}


def test_a_sample_of_the_users_trains_for_its_share_and_all_are_asked() -> None:
    log = LogSize((0, 0, 200), items=10, text_bytes=0)
    every = {
        w.name: w.tokens for s in ("sft", "generate") for w in works_of(s, Config(), log, MODEL)
    }
    config = config_of(export__max_users=50)
    found = {w.name: w.tokens for s in ("sft", "generate") for w in works_of(s, config, log, MODEL)}
    for name, tokens in every.items():
        assert found[name] == tokens * (1 if name.startswith("items for") else 0.25)


def test_so_many_steps_take_so_many_examples() -> None:
    log = LogSize((0, 0, 2000), items=10, text_bytes=0)
    works = {work.name: work for work in works_of("sft", Config(), log, MODEL)}
    config = config_of(sft__max_steps=3)
    found = {work.name: work for work in works_of("sft", config, log, MODEL)}
    sft = config.sft
    assert found["train generator"].prompts == 3 * sft.batch_size
    assert found["train discriminator"].prompts == pytest.approx(3 * sft.discriminator.batch_size)
    share = found["train discriminator"].prompts / works["train discriminator"].prompts
    hard = works["draw hard negatives"].tokens * share * sft.discriminator.epochs
    assert found["draw hard negatives"].tokens == pytest.approx(hard)
    config = config_of(sft__max_steps=10**6)
    assert {work.name: work for work in works_of("sft", config, log, MODEL)} == works


def test_a_long_history_is_trained_on_in_rows() -> None:
    options: dict[str, Any] = {"export__sequence_length": 3, "export__sequences_per_user": 2}
    config = config_of(export__calibration_share=0, sft__epochs=1, **options)
    log = LogSize((0, 0, 0, 1, 0, 0, 0, 1), items=10, text_bytes=0)
    # Of four items the latest three, as one is no row; of eight twice three.
    training = works_of("sft", config, log, MODEL)[0]
    assert (training.prompts, training.tokens) == (3, 9)
    # With titles a prompt for each of the latest three targets of both; together, rows of four
    # items, of which the first is only shown: one of four items, two of eight.
    base_model = {"sft__base_model": "a folder", **options}
    one_by_one = config_of(export__calibration_share=0, sft__epochs=1, **base_model)
    assert works_of("sft", one_by_one, log, MODEL)[0].prompts == 6
    together = config_of(
        export__calibration_share=0, sft__epochs=1, export__layout="dialogue", **base_model
    )
    assert works_of("sft", together, log, MODEL)[0].prompts == 3


def test_a_long_history_is_scored_window_by_window() -> None:
    # 23 items in windows of 10 that start 5 apart: items 0 to 10, 11 to 15, 16 to 20, 21 and 22.
    config = config_of(discriminate__score_real=True)
    log = LogSize((*(0 for _ in range(22)), 1), items=10, text_bytes=0)
    scored = tokens_by_name(works_of("discriminate", config, log, MODEL))
    windows = [(10, 11), (10, 5), (10, 5), (7, 2)]
    assert scored["score real interactions"] == sum(1 + shown + 2 * n for shown, n in windows)


def test_a_log_known_by_its_totals_has_them() -> None:
    log = geometric_log(users=1000, items=50, mean_length=10, text_bytes=60)
    assert log.users == pytest.approx(1000)
    assert log.interactions == pytest.approx(10_000, rel=1e-6)


def test_what_costs_changes_no_result() -> None:
    changed = config_of(cost__device="h100", cost__prices={"h100": 2.5}, cost__currency="EUR")
    assert changed.digest() == Config().digest()


def write_model(folder: Path, **shape: Any) -> None:
    """A model folder with the header of one file of weights, and nothing behind it."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(shape))
    tensors = {
        "__metadata__": {"format": "pt"},
        "model.embed_tokens.weight": {"shape": [1000, 8]},
        "model.layers.0.mlp.up_proj.weight": {"shape": [32, 8]},
        "lm_head.weight": {"shape": [1000, 8]},
    }
    header = json.dumps(tensors).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)


def test_a_base_model_is_as_large_as_its_folder_says(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny", hidden_size=8, num_hidden_layers=1)
    size = ModelSize.of_config(config_of(sft__base_model=str(tmp_path / "tiny")))
    assert size == ModelSize("tiny", 256, 16_000, 1, 8, Config().sft.text_dims)
    assert ModelSize.of_config(config_of(sft__base_model=str(tmp_path / "elsewhere"))) is None
