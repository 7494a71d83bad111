"""Item embeddings that start from Swing's similarities: when they do, and what they say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.sft.artifacts import prepare_artifacts
from llm_i2i_spark.sft.distributed import Distributed
from llm_i2i_spark.sft.swing_embeddings import STANDARD_DEVIATION, swing_embeddings

N_ITEMS, DIMS = 60, 16
GROUP = N_ITEMS // 3


def histories(seed: int = 0) -> list[list[int]]:
    """Users of three groups, each with items of its own; the last item is nobody's."""
    random = np.random.default_rng(seed)
    return [
        (user % 3 * GROUP + random.choice(GROUP - (user % 3 == 2), 6, replace=False)).tolist()
        for user in range(300)
    ]


def test_items_of_the_same_users_start_close_to_each_other():
    rows = swing_embeddings(histories(), N_ITEMS, DIMS, seed=1)
    assert rows.shape == (N_ITEMS, DIMS)
    known = rows[:-1]
    assert np.allclose(np.sqrt((known**2).mean(axis=1)), STANDARD_DEVIATION, rtol=1e-5)
    assert not rows[-1].any()
    groups = np.arange(N_ITEMS - 1) // GROUP
    cosines = known @ known.T / (STANDARD_DEVIATION**2 * DIMS)
    same = groups[:, None] == groups
    np.fill_diagonal(same, False)
    others = groups[:, None] != groups
    assert cosines[same].mean() > cosines[others].mean() + 0.15
    assert np.abs(cosines[others].mean()) < 0.05


def test_the_same_log_gives_the_same_bits_whatever_is_computed_densely():
    once, again = (swing_embeddings(histories(), N_ITEMS, DIMS, seed=1) for _ in range(2))
    assert np.array_equal(once, again)
    every = swing_embeddings(histories(), N_ITEMS, N_ITEMS, seed=1)  # more than ARPACK can find
    scaled = every[:-1, :DIMS]
    scaled *= STANDARD_DEVIATION * np.sqrt(DIMS) / np.linalg.norm(scaled, axis=1, keepdims=True)
    assert np.allclose(np.abs(scaled @ scaled.T), np.abs(once[:-1] @ once[:-1].T), atol=1e-4)


@pytest.mark.parametrize("log", [[], [[3], [4]]])
def test_a_log_without_pairs_says_nothing(log):
    assert not swing_embeddings(log, N_ITEMS, DIMS, seed=1).any()


def start(texts: dict[str, str], *settings: str) -> tuple[torch.Tensor, bool]:
    """Where the item embeddings of the compact model start, and whether the log was asked."""
    asked = []

    def of_users() -> Iterator[NDArray[np.int32]]:
        asked.append(True)
        for items in histories():
            yield np.array(items, np.int32)

    options = [f"sft.hidden_size={DIMS}", "sft.heads=2", *settings]
    alone = Distributed(0, 1, torch.device("cpu"))
    artifacts = prepare_artifacts(load_config([], options), texts, of_users, alone)
    return artifacts.new_model().item_embedding.weight.detach(), bool(asked)


def test_they_start_from_the_log_where_most_items_have_no_text():
    ids = [f"item{item:02}" for item in range(N_ITEMS)]
    bare = {item_id: item_id for item_id in ids}
    titled = {item_id: f"a {item_id[-1]} of kind {item_id[-2]}" for item_id in ids}
    of_log, asked = start(bare)
    random, _ = start(bare, "sft.embedding_start=random")
    assert asked
    expected = torch.from_numpy(swing_embeddings(histories(), N_ITEMS, DIMS, load_config().seed))
    assert torch.allclose(of_log, random + expected, atol=1e-7)
    assert not start(titled)[1]
    assert start(titled, "sft.embedding_start=swing")[1]
    some = {**bare, **dict(list(titled.items())[: N_ITEMS // 2])}
    assert not start(some)[1]
    codes = ("sft.embedding_start=swing", "sft.item_tokens=codes")
    assert not start(titled, *codes)[1]
