"""Results of a model that were kept are read and not inferred again, and only whole ones."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.lake.batch_inference import (
    InferenceTask,
    in_user_buckets,
    infer,
    infer_partition,
)
from llm_i2i_spark.lake.kept_results import KeptResults

SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("vector", pa.list_(pa.float32())),
        ("model_digest", pa.string()),
        ("prompt_digest", pa.string()),
    ]
)
BATCHES = [
    pa.RecordBatch.from_pydict({"user_id": users, "history": [[users[0]]] * len(users)})
    for users in (["ä", "b"], ["c"])
]


class Model:
    """Counts what it is asked; stops at a user."""

    def __init__(self, stop_at: str = "") -> None:
        self.asked: list[str] = []
        self.stop_at = stop_at

    def run(self, kept: KeptResults, model_digest: str = "m") -> list[pa.RecordBatch]:
        task = InferenceTask("folder", model_digest, "p", 8, "auto", SCHEMA)
        return list(infer_partition(iter(BATCHES), task, lambda task, gpu: self, _infer, kept=kept))


def _infer(batch: pa.RecordBatch, model: Model, task: InferenceTask) -> dict[str, object]:
    users = batch.column("user_id").to_pylist()
    if model.stop_at in users:
        raise KeyboardInterrupt
    model.asked += users
    return {"user_id": users, "vector": [[float(len(user))] for user in users]}


@pytest.fixture
def stopped(tmp_path: Path) -> KeptResults:
    """What a run that was stopped at its second batch has left."""
    kept = KeptResults(str(tmp_path / "_inference" / "f"), "candidates")
    with pytest.raises(KeyboardInterrupt):
        Model(stop_at="c").run(kept)
    return kept


def test_only_the_rest_is_inferred_and_the_rows_are_the_same(
    stopped: KeptResults, tmp_path: Path
) -> None:
    assert stopped.count() == 1
    again, anew = Model(), Model()
    found = again.run(stopped)
    assert again.asked == ["c"]
    assert found == anew.run(KeptResults(str(tmp_path / "other"), "candidates"))
    assert anew.asked == ["ä", "b", "c"]


def test_another_model_or_table_has_results_of_its_own(stopped: KeptResults) -> None:
    for kept, digest in ((stopped, "n"), (KeptResults(stopped.folder, "scored"), "m")):
        other = Model()
        other.run(kept, digest)
        assert other.asked == ["ä", "b", "c"]


def test_what_is_damaged_is_inferred_again(stopped: KeptResults) -> None:
    (file,) = Path(stopped.folder).iterdir()
    content = bytearray(file.read_bytes())
    for place in range(0, len(content), 97):
        content[place] ^= 1
        file.write_bytes(content)
        again = Model(stop_at="c")
        with pytest.raises(KeyboardInterrupt):
            again.run(stopped)
        assert again.asked == ["ä", "b"]
        content[place] ^= 1


def test_where_nothing_can_be_kept_everything_is_inferred(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    model = Model()
    model.run(KeptResults(str(tmp_path / "file" / "below"), "candidates"))
    assert model.asked == ["ä", "b", "c"]


def load_nothing(task: InferenceTask, gpu: str | None) -> None:
    """No model."""


def name_inference(batch: pa.RecordBatch, model: None, task: InferenceTask) -> dict[str, object]:
    """Rows that say which inference they are of: no two are equal."""
    return {
        "user_id": batch.column("user_id"),
        "vector": [[uuid4().int % 2**24] for _ in range(batch.num_rows)],
    }


def test_spark_shows_a_model_the_same_batches_again(spark: SparkSession, tmp_path: Path) -> None:
    kept = KeptResults(str(tmp_path / "f"), "candidates")
    task = InferenceTask("folder", "m", "p", 8, "auto", SCHEMA)

    def rows(users: int, partitions: int) -> dict[str, list[float]]:
        frame = spark.range(0, users, 1, partitions).select(
            F.concat(F.lit("ü"), "id").alias("user_id"),
            F.array(F.struct(F.lit("A").alias("item_id"), "id")).alias("history"),
        )
        buckets = in_user_buckets(frame, 4, 1, ("user_id",))
        found = infer(buckets, task, load_nothing, name_inference, "test", kept).collect()
        return {row["user_id"]: row["vector"] for row in found}

    first = rows(50, 1)
    assert rows(50, 3) == first
    more = rows(51, 2)
    assert 50 > sum(more[user] == first[user] for user in first) > 25
