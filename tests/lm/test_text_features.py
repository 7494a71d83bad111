"""Text features: like texts lie close, and no text can break them."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from llm_i2i_spark.base.errors import UserError
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
def test_a_sentence_encoder_reads_each_text_apart_from_its_batch(encoder: Path) -> None:
    features = embed_texts(TEXTS, 32, str(encoder), seed=0)
    assert features.shape == (60, 16)
    np.testing.assert_allclose(
        features[7], embed_texts(TEXTS[7:8], 32, str(encoder), seed=0)[0], atol=1e-5
    )
    assert embed_texts(TEXTS, 4, str(encoder), seed=0).shape == (60, 4)


def test_an_encoder_with_code_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "evil.py").write_text("")
    with pytest.raises(UserError, match="brings code"):
        embed_texts(TEXTS, 4, str(tmp_path), seed=0)
