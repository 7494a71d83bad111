"""Backbone bpr against the package `implicit`: equal recall with equal settings, no less with ours.

Both are trained on the synthetic log without each user's last click, from several seeds, and asked
for that click by the cosines of item vectors.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from llm_i2i_spark.backbones import Bpr
from llm_i2i_spark.backbones.embedding.interaction_matrix import (
    InteractionMatrix,
    interaction_matrix,
)
from llm_i2i_spark.datasets.synthetic import SyntheticDataset

implicit_bpr = pytest.importorskip("implicit.bpr")
pytestmark = pytest.mark.lm
SEEDS = range(1, 6)
SETTINGS = {"learning_rate": 0.05, "regularization": 0.01}
EPOCHS = 60


@pytest.fixture(scope="module")
def log() -> tuple[InteractionMatrix, np.ndarray]:
    """The interactions without each user's last one, and the item of that one by user."""
    rows = SyntheticDataset(600, 7).interactions(np.arange(1500, dtype=np.int64))
    table = pa.Table.from_batches([rows]).sort_by([("user_id", "ascending"), ("ts", "ascending")])
    users = table["user_id"].to_numpy(zero_copy_only=False)
    is_last = np.append(users[1:] != users[:-1], True)
    rest = table.filter(pa.array(~is_last)).select(["user_id", "item_id"])
    matrix = interaction_matrix(rest.append_column("weight", pa.array(np.ones(len(rest)))))
    number = {item: n for n, item in enumerate(matrix.item_ids.to_pylist())}
    last = table.filter(pa.array(is_last))["item_id"].to_pylist()
    assert matrix.n_users == len(last)
    return matrix, np.array([number.get(item, -1) for item in last])


def recall(vectors: np.ndarray, matrix: InteractionMatrix, last: np.ndarray) -> float:
    """Share of users whose last item is among the ten nearest to the sum of their items."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit @ unit.T
    had = sp.csr_matrix((np.ones(len(matrix.users)), (matrix.users, matrix.items)))
    scores = had @ np.maximum(cosine, 0.0)
    scores[matrix.users, matrix.items] = -1.0
    best = np.argsort(-scores, axis=1)[:, :10]
    return float((best == last[:, None]).any(axis=1).mean())


def recalls_of_ours(log: tuple[InteractionMatrix, np.ndarray], **parameters: object) -> list[float]:
    found = []
    for seed in SEEDS:
        learned = Bpr(**parameters).learn(log[0], seed, lambda done, total, note: None)
        assert len(learned.item_ids) == log[0].n_items
        found.append(recall(learned.vectors, *log))
    return found


def recalls_of_implicit(log: tuple[InteractionMatrix, np.ndarray]) -> list[float]:
    matrix, _ = log
    ones = np.ones(len(matrix.users), np.float32)
    had = sp.csr_matrix((ones, (matrix.users, matrix.items)))
    found = []
    for seed in SEEDS:
        model = implicit_bpr.BayesianPersonalizedRanking(
            factors=100, iterations=EPOCHS, random_state=seed, num_threads=1, **SETTINGS
        )
        model.fit(had, show_progress=False)
        found.append(recall(np.asarray(model.item_factors), *log))
    return found


def test_recall_is_that_of_implicit_within_the_spread_of_its_seeds(log):
    theirs = recalls_of_implicit(log)
    ours = recalls_of_ours(log, convention="implicit", epochs=EPOCHS, **SETTINGS)
    print(
        theirs,
        ours,
        recalls_of_ours(log, convention="implicit", epochs=2, **SETTINGS),
        recalls_of_ours(log),
    )
    spread = max(theirs) - min(theirs)
    assert min(theirs) > 0.05
    assert abs(np.mean(ours) - np.mean(theirs)) <= spread
    assert np.mean(recalls_of_ours(log)) > max(theirs)  # with our defaults
