"""Text features: like texts lie close, and no text can break them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.lm import text_encoder, text_features
from llm_i2i_spark.lm.text_features import embed_texts

TEXTS = [
    f"{'organic soap lavender' if k % 2 else 'steel hair brush'} number{k % 5} brand{k % 3}"
    for k in range(60)
]


def test_rows_have_unit_length_and_like_texts_lie_close() -> None:
    features = embed_texts(TEXTS, 8, None, seed=0)
    assert features.shape == (60, 8)
    assert features.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    similarity = features @ features.T
    assert similarity[1, 3] > similarity[1, 2]
    assert np.array_equal(features, embed_texts(TEXTS, 8, None, seed=0))


@pytest.mark.parametrize(
    "texts", [[], [""], ["", "\x00", "\ud800"], ["soap"], ["soap", "soap"], ["the", "of"]]
)
def test_poor_catalogues_have_finite_features(texts: list[str]) -> None:
    features = embed_texts(texts, 4, None, seed=0)
    assert len(features) == len(texts)
    assert np.isfinite(features).all()
    assert (np.linalg.norm(features, axis=1) < 1 + 1e-5).all()


def test_a_giant_title_costs_nothing() -> None:
    started = time.perf_counter()
    features = embed_texts([*TEXTS, "x y " * 1_250_000], 4, None, seed=0)
    assert time.perf_counter() - started < 5
    assert np.isfinite(features).all()


@pytest.fixture(scope="session")
def encoder(
    tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: PreTrainedTokenizerFast
) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(1)
    shape = BertConfig(
        vocab_size=len(tiny_tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    BertModel(shape).save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.lm
@pytest.mark.parametrize("family", ["bert", "llama"])
def test_an_encoder_reads_each_text_apart_from_its_batch(
    family: str,
    encoder: Path,
    base_model_folder: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = str(encoder if family == "bert" else base_model_folder("llama"))
    texts = [*TEXTS, "soap", "a brush " * 40]
    features = embed_texts(texts, 64, folder, seed=0)
    assert len(features) == 62
    monkeypatch.setattr(text_encoder, "ENCODER_BATCH", 1)
    np.testing.assert_allclose(features, embed_texts(texts, 64, folder, seed=0), atol=1e-5)
    assert embed_texts(TEXTS, 4, folder, seed=0).shape == (60, 4)


@pytest.mark.lm
def test_texts_of_an_encoder_lie_around_the_origin_and_empty_ones_on_it(encoder: Path) -> None:
    features = embed_texts([*TEXTS, ""], 64, str(encoder), seed=0)
    assert not features[-1].any()
    assert np.linalg.norm(features[:-1].mean(axis=0)) < 0.2


@pytest.mark.lm
def test_no_bar_of_another_library_stands_between_our_own_lines(
    encoder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    embed_texts(TEXTS, 4, str(encoder), seed=0)
    assert "Loading weights" not in capfd.readouterr().err


@pytest.mark.lm
def test_a_tokenizer_without_padding_is_given_one(
    tmp_path: Path, base_model_folder: Callable[[str], Path]
) -> None:
    folder = Path(shutil.copytree(base_model_folder("llama"), tmp_path / "base"))
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    expected = embed_texts(TEXTS, 64, str(folder), seed=0)
    tokenizer.pad_token = None
    tokenizer.padding_side = "left"
    tokenizer.save_pretrained(folder)
    np.testing.assert_allclose(embed_texts(TEXTS, 64, str(folder), seed=0), expected, atol=1e-5)


def test_an_encoder_with_code_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "evil.py").write_text("")
    with pytest.raises(UserError, match="brings code"):
        embed_texts(TEXTS, 4, str(tmp_path), seed=0)


def test_features_of_a_large_catalogue_are_fitted_on_some_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = embed_texts(TEXTS, 8, None, seed=0)
    monkeypatch.setattr(text_features, "FITTED_ON", 30)
    monkeypatch.setattr(text_features, "AT_ONCE", 7)
    found = embed_texts([*TEXTS, "something else"], 8, None, seed=0)
    assert found.shape == (61, 8)
    assert not found[-1].any()
    np.testing.assert_allclose(np.linalg.norm(found[:-1], axis=1), 1, atol=1e-5)
    same, others = ((one @ one.T)[np.triu_indices(60, 1)] for one in (whole, found[:-1]))
    assert np.corrcoef(same, others)[0, 1] > 0.9


@pytest.mark.lm
def test_an_encoder_that_was_fitted_on_some_says_the_same_of_others(encoder: Path) -> None:
    for dims in (64, 4):
        features = text_features.TextFeatures(dims, str(encoder), seed=0)
        fitted = features.fit_transform([*TEXTS, ""])
        np.testing.assert_allclose(features.transform([*TEXTS, ""]), fitted, atol=1e-5)
