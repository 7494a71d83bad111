"""Vectors of users against a sum written out, one user at a time."""

from __future__ import annotations

import numpy as np
import pytest

from llm_i2i_spark.kernels.user_network import history_means, user_vectors


def test_histories_are_weighted_means_and_pass_the_layers():
    draw = np.random.default_rng(3)
    vectors = draw.standard_normal((7, 4)).astype(np.float32)
    histories = [([0], [2.0]), ([3, 3, 6], [1.0, 0.5, 0.25]), ([5, 1], [1e-9, 1e-9])]
    offsets = np.cumsum([0, *(len(items) for items, _ in histories)])
    items = np.concatenate([items for items, _ in histories])
    weights = np.concatenate([weights for _, weights in histories])
    found = history_means(vectors, items, weights, offsets)
    layers = [draw.standard_normal(shape).astype(np.float32) for shape in ((5, 5), (3, 6))]
    of_users = user_vectors(found, layers)
    for number, (own, weight) in enumerate(histories):
        mean = sum(w * vectors[i] for i, w in zip(own, weight, strict=True)) / sum(weight)
        assert found[number] == pytest.approx(mean, abs=1e-6)
        hidden = np.maximum(layers[0][:, :4] @ mean + layers[0][:, 4], 0)
        expected = layers[1][:, :5] @ hidden + layers[1][:, 5]
        assert of_users[number] == pytest.approx(expected, abs=1e-5)


def test_torch_and_numpy_have_one_network():
    torch = pytest.importorskip("torch")
    from llm_i2i_spark.backbones.embedding import youtube_dnn_training

    draw = np.random.default_rng(4)
    means = draw.standard_normal((9, 8)).astype(np.float32)
    layers = [draw.standard_normal((8, 9)).astype(np.float32) for _ in range(3)]
    learned = youtube_dnn_training.user_vectors(
        torch.from_numpy(means), [torch.from_numpy(layer) for layer in layers]
    )
    assert user_vectors(means, layers) == pytest.approx(learned.numpy(), rel=1e-4, abs=1e-4)
