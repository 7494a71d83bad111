"""Item vocabularies: unique codes, shared features, ids byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i_spark.base.sections.sft import SftConfig
from llm_i2i_spark.lm import vocabulary as vocabulary_module
from llm_i2i_spark.lm.vocabulary import ItemVocabulary, build_vocabulary

STRANGE = sorted(["007", "7", "a\x00b", "\ud800", "é", "e\u0301", "null", " ", "😀"])


def test_atomic_items_have_a_token_each(small: type) -> None:
    features = small.features(9)
    vocabulary = ItemVocabulary.atomic(STRANGE)
    assert (vocabulary.n_tokens, vocabulary.length) == (9, 1)
    assert [vocabulary.index(item_id) for item_id in STRANGE] == list(range(9))
    assert vocabulary.index("unknown") is None
    assert np.array_equal(vocabulary.token_features(features), features)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 80), st.integers(1, 4), st.integers(2, 4), st.integers(1, 6))
def test_semantic_codes_tell_every_item_apart(
    n: int, distinct: int, length: int, size: int
) -> None:
    groups = np.eye(distinct, 5, dtype=np.float32)[np.arange(n) % distinct]
    vocabulary = ItemVocabulary.semantic(
        [f"{k:03d}" for k in range(n)], groups, length, size, seed=2
    )
    assert vocabulary.length == length
    assert len({tuple(row) for row in vocabulary.codes.tolist()}) == n
    assert vocabulary.codes.min() >= 0
    assert vocabulary.codes.max() < vocabulary.n_tokens
    for level in range(length - 1):
        assert set(vocabulary.codes[:, level] // size) == {level}


def test_like_items_share_their_first_code_and_the_codes_are_repeatable() -> None:
    random = np.random.default_rng(0)
    centres = 10 * np.eye(4, 8)
    features = (centres[np.arange(200) % 4] + random.normal(size=(200, 8))).astype(np.float32)
    ids = [f"{k:03d}" for k in range(200)]
    vocabulary = ItemVocabulary.semantic(ids, features, length=3, size=4, seed=5)
    for group in range(4):
        assert len(set(vocabulary.codes[group::4, 0])) == 1
    assert len(set(vocabulary.codes[:, 0])) == 4
    assert np.array_equal(
        vocabulary.codes, ItemVocabulary.semantic(ids, features, length=3, size=4, seed=5).codes
    )


def test_a_shared_code_has_the_mean_features_of_its_items() -> None:
    vocabulary = ItemVocabulary(("a", "b", "c"), np.array([[0, 2], [0, 3], [1, 2]]), 5)
    features = np.array([[1, 0], [0, 1], [0, 3]], np.float32)
    expected = [[0.5, 0.5], [0, 3], [0.5, 1.5], [0, 1], [0, 0]]
    assert vocabulary.token_features(features).tolist() == expected


@pytest.mark.parametrize("kind", ["atomic", "codes"])
def test_what_is_saved_is_loaded(tmp_path: Path, small: type, kind: str) -> None:
    vocabulary = (
        ItemVocabulary.atomic(STRANGE)
        if kind == "atomic"
        else ItemVocabulary.semantic(STRANGE, small.features(9), 3, 2, 0)
    )
    vocabulary.save(tmp_path)
    loaded = ItemVocabulary.load(tmp_path)
    assert loaded.item_ids == vocabulary.item_ids == tuple(STRANGE)
    assert np.array_equal(loaded.codes, vocabulary.codes)
    assert loaded.n_tokens == vocabulary.n_tokens


def test_unsorted_or_repeated_ids_and_wrong_shapes_are_refused() -> None:
    for ids in (["b", "a"], ["a", "a"]):
        with pytest.raises(ValueError, match="ascending"):
            ItemVocabulary.atomic(ids)
    with pytest.raises(ValueError, match="rows of codes"):
        ItemVocabulary(("a",), np.zeros((2, 1), np.int64), 1)


def test_the_settings_choose_the_kind(small: type) -> None:
    ids = [item.item_id for item in small.items(30)]
    assert build_vocabulary(SftConfig(), ids, small.features(30), 0).length == 1
    assert build_vocabulary(SftConfig(item_tokens="codes"), ids, small.features(30), 0).length == 4


def test_the_clusters_of_a_large_catalogue_are_those_of_a_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(0)
    centres = 10 * np.eye(4, 8)
    features = (centres[np.arange(400) % 4] + random.normal(size=(400, 8))).astype(np.float32)
    ids = [f"{k:03d}" for k in range(400)]
    monkeypatch.setattr(vocabulary_module, "FITTED_ON", 150)
    monkeypatch.setattr(vocabulary_module, "AT_ONCE", 33)
    codes = ItemVocabulary.semantic(ids, features, length=3, size=4, seed=5).codes
    assert len({tuple(row) for row in codes.tolist()}) == 400
    for group in range(4):
        assert len(set(codes[group::4, 0])) == 1
    assert len(set(codes[:, 0])) == 4
