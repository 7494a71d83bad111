"""User-to-item by vectors, against the same written out for one user after the other."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from llm_i2i_spark.base.errors import ConfigError, InputDataError
from llm_i2i_spark.serving import user_vectors as module
from llm_i2i_spark.serving.user_vectors import (
    UserModel,
    recommend_by_vectors,
    vectors_of_users,
)

pytestmark = pytest.mark.spark
ITEMS, DIMS, HISTORY, K = 30, 6, 4, 5
DRAW = np.random.default_rng(5)
VECTORS = DRAW.standard_normal((ITEMS, DIMS)).astype(np.float32)
LAYERS = [DRAW.standard_normal((DIMS, DIMS + 1)).astype(np.float32) for _ in range(2)]


@pytest.fixture(scope="module")
def model() -> UserModel:
    order = DRAW.permutation(ITEMS)
    embeddings = pa.table(
        {"item_id": [f"i{n}" for n in order], "embedding": [VECTORS[n].tolist() for n in order]}
    )
    units = [
        {"layer": layer, "unit": unit, "weights": weights.tolist()}
        for layer, matrix in reversed([*enumerate(LAYERS)])
        for unit, weights in enumerate(matrix)
    ]
    return UserModel.from_rows(embeddings, pa.Table.from_pylist(units), HISTORY)


@pytest.fixture(scope="module")
def rows() -> list[tuple[str, str, int | None, float]]:
    """Twenty users with up to nine clicks, a row without a position, and a stranger."""
    made = [
        (f"u{user}", f"i{item}", place, float(DRAW.uniform(0.2, 1)))
        for user in range(20)
        for place, item in enumerate(DRAW.permutation(ITEMS)[: 1 + user % 9])
    ]
    return [*made, ("u3", "i29", None, 1.0), ("stranger", "unknown", 0, 1.0)]


@pytest.fixture(scope="module")
def frame(spark, rows):
    schema = "user_id string, item_id string, position int, weight double"
    return spark.createDataFrame(rows, schema).repartition(3)


def vector_of(clicks: list[tuple[str, float]]) -> np.ndarray:
    latest = clicks[-HISTORY:]
    total = sum(weight for _, weight in latest)
    hidden = sum(weight / total * VECTORS[int(item[1:])] for item, weight in latest)
    for number, layer in enumerate(LAYERS):
        hidden = layer[:, :DIMS] @ hidden + layer[:, DIMS]
        hidden = np.maximum(hidden, 0) if number == 0 else hidden
    return hidden


def clicks_by_user(rows) -> dict[str, list[tuple[str, float]]]:
    found: dict[str, list[tuple[str, float]]] = {}
    for user, item, position, weight in rows:
        if position is not None and item != "unknown":
            found.setdefault(user, []).append((item, weight))
    return found


def test_every_user_has_the_vector_of_the_latest_items(frame, rows, model):
    found = {row["user_id"]: row["embedding"] for row in vectors_of_users(frame, model).collect()}
    expected = clicks_by_user(rows)
    assert found.keys() == expected.keys()  # nobody knows the stranger's item
    for user, clicks in expected.items():
        assert found[user] == pytest.approx(vector_of(clicks), abs=1e-4)


@pytest.mark.parametrize("at_once", [2**20, 4 * ITEMS * 3])
def test_the_best_items_of_every_user_are_those_of_the_highest_product(
    frame, rows, model, monkeypatch, at_once
):
    monkeypatch.setattr(module, "SCORE_BYTES", at_once)
    lists = {
        row["user_id"]: row["recommendations"]
        for row in recommend_by_vectors(frame, model, K).collect()
    }
    assert lists.pop("stranger") == []
    expected = clicks_by_user(rows)
    assert lists.keys() == expected.keys()
    for user, clicks in expected.items():
        scores = VECTORS @ vector_of(clicks)
        for item, _ in clicks:
            scores[int(item[1:])] = -np.inf
        best = np.argsort(-scores)[:K]
        assert [entry["item_id"] for entry in lists[user]] == [f"i{item}" for item in best]
        assert [entry["rank"] for entry in lists[user]] == [1, 2, 3, 4, 5]
        assert [entry["score"] for entry in lists[user]] == pytest.approx(scores[best], abs=1e-4)


def test_what_cannot_be_is_refused(frame, model):
    with pytest.raises(ConfigError, match="k"):
        recommend_by_vectors(frame, model, 0)
    with pytest.raises(InputDataError, match="weight"):
        vectors_of_users(frame.drop("weight"), model)
