"""Results of a model that were kept are read and not inferred again, and only whole ones."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from llm_i2i_spark.lake.batch_inference import InferenceTask, infer_partition
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
