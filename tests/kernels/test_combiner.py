"""The compiled network against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from llm_i2i_spark.kernels.combiner import TENSORS, Combiner


@pytest.fixture
def combiner() -> Combiner:
    random = np.random.default_rng(8)
    shapes = ((9,), (9,), (9, 16), (16,), (16, 16), (16,), (16,), (1,))
    tensors = [random.normal(0, 0.5, shape).astype(np.float32) for shape in shapes]
    tensors[1] = np.abs(tensors[1]) + np.float32(0.5)
    return Combiner(**dict(zip(TENSORS, tensors, strict=True)))


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def pairs(number: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(9)
    return random.random(number), random.normal(0, 2, (number, 9)).astype(np.float32)


def test_a_similarity_is_the_mixture_times_the_exponential_of_the_network(combiner):
    mixture, features = pairs(300)
    hidden = silu((features - combiner.mean) / combiner.scale @ combiner.weight_1 + combiner.bias_1)
    hidden = silu(hidden @ combiner.weight_2 + combiner.bias_2)
    correction = hidden @ combiner.weight_3 + combiner.bias_3
    assert correction.std() > 0.5
    found = combiner.combine(mixture, features)
    np.testing.assert_allclose(found, mixture * np.exp(correction.astype(float)), rtol=1e-5)


def test_a_pair_has_the_same_bits_alone_and_among_others(combiner):
    mixture, features = pairs(200)
    together = combiner.combine(mixture, features)
    order = np.random.default_rng(1).permutation(200)
    assert np.array_equal(combiner.combine(mixture[order], features[order]), together[order])
    for row in range(0, 200, 17):
        alone = combiner.combine(mixture[row : row + 1], features[row : row + 1])
        assert alone[0] == together[row]


def test_features_far_from_all_that_was_seen_give_numbers(combiner):
    features = np.array([[1e4] * 9, [-1e4] * 9], np.float32)
    small = Combiner(**{**vars(combiner), "weight_3": combiner.weight_3 * np.float32(1e-6)})
    assert np.isfinite(small.combine(np.ones(2), features)).all()
