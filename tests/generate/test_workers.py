"""The functions that run in Spark's workers, on Arrow batches with real checkpoints on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import MissingDependencyError
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.base.sections.sft import SftConfig
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.discriminate.worker import load_discriminator, score_batch
from llm_i2i_spark.generate.transform import item_inputs
from llm_i2i_spark.generate.worker import GenerateTask, load_generator, propose_batch
from llm_i2i_spark.lake.batch_inference import InferenceTask, infer, infer_partition
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.lm.calibration import Calibration
from llm_i2i_spark.lm.checkpoint import save_checkpoint
from llm_i2i_spark.lm.new_model import build_model
from llm_i2i_spark.lm.vocabulary import ItemVocabulary
from llm_i2i_spark.prompts.items import Item
from tests.stage_runs import put_rows

pytestmark = pytest.mark.lm

N_ITEMS = 25
ITEM = pa.struct([("item_id", pa.string()), ("text", pa.string())])
REQUEST = pa.struct(
    [
        ("prefix_length", pa.int32()),
        ("item_id", pa.string()),
        ("text", pa.string()),
        ("log_prob", pa.float64()),
    ]
)
CANDIDATES = pa.schema(
    [
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("rank", pa.int32()),
        ("log_prob", pa.float64()),
        ("model_digest", pa.string()),
        ("prompt_digest", pa.string()),
        ("decode_digest", pa.string()),
    ]
)
SCORED = pa.schema(
    [
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("source", pa.string()),
        ("p_yes", pa.float64()),
        ("confidence", pa.float64()),
        ("decision", pa.bool_()),
        ("model_digest", pa.string()),
        ("prompt_digest", pa.string()),
    ]
)


def _item(number: int) -> dict[str, str]:
    return {"item_id": f"i{number:02d}", "text": f"item {number}"}


def _saved(folder: Path, role: str) -> tuple[str, str]:
    vocabulary = ItemVocabulary.atomic([f"i{n:02d}" for n in range(N_ITEMS)])
    features = np.random.default_rng(1).normal(size=(N_ITEMS, 6)).astype(np.float32)
    model = build_model(
        SftConfig(hidden_size=16, heads=2, intermediate_size=16), N_ITEMS, features, None, 5
    ).eval()
    fields = {"role": role, "max_items": 10, "max_length": 64}
    calibration = Calibration(1.0, 0.5, -0.25) if role == "discriminator" else None
    return str(folder), save_checkpoint(folder, model, vocabulary, None, fields, calibration)


def _users(numbers: range) -> pa.RecordBatch:
    histories = [[_item((3 * n + k) % N_ITEMS) for k in range(1 + n % 4)] for n in numbers]
    owned = [[item["item_id"] for item in history] for history in histories]
    columns = [
        pa.array([f"u{n}" for n in numbers]),
        pa.array(histories, pa.list_(ITEM)),
        pa.array(owned),
    ]
    return pa.RecordBatch.from_arrays(columns, names=["user_id", "history", "owned"])


def _generate_task(path: str, digest: str, device: str = "cpu") -> GenerateTask:
    return GenerateTask(
        checkpoint_path=path,
        model_digest=digest,
        prompt_digest="prompt",
        batch_tokens=64,
        device=device,
        schema=CANDIDATES,
        decode_digest="decode",
        per_user=7,
    )


def test_every_user_gets_distinct_catalogue_items_that_he_does_not_own(tmp_path: Path) -> None:
    path, digest = _saved(tmp_path / "generator", "generator")
    inputs, task = iter([_users(range(6)), _users(range(6, 9))]), _generate_task(path, digest)
    rows = [
        row
        for batch in infer_partition(inputs, task, load_generator, propose_batch)
        for row in batch.to_pylist()
    ]
    owned = {row["user_id"]: set(row["owned"]) for row in _users(range(9)).to_pylist()}
    assert len(rows) == 9 * 7
    for user, kept in owned.items():
        of_user = [row for row in rows if row["user_id"] == user]
        assert len({row["item_id"] for row in of_user} - kept) == 7
        assert [row["rank"] for row in of_user] == list(range(1, 8))
        assert [row["log_prob"] for row in of_user] == sorted(
            (row["log_prob"] for row in of_user), reverse=True
        )


@pytest.mark.spark
def test_next_items_of_an_item_are_the_best_of_the_model_after_it_alone_without_itself(
    spark: SparkSession, tmp_path: Path
) -> None:
    path, digest = _saved(tmp_path / "generator", "generator")
    known = [_item(number) for number in range(N_ITEMS)]
    items = spark.createDataFrame([*known, {"item_id": "unknown", "text": "a new one"}])
    task = _generate_task(path, digest)
    rows = infer(item_inputs(items, 2, 1), task, load_generator, propose_batch, "items").collect()
    checkpoint = load_generator(task, None)
    codes = checkpoint.vocabulary.codes[:, 0]
    assert {(row["model_digest"], row["decode_digest"]) for row in rows} == {(digest, "decode")}
    assert {row["user_id"] for row in rows} == {row["item_id"] for row in items.collect()}
    for number in (0, 7, N_ITEMS - 1):
        prompt = checkpoint.encoder.prompt([Item(**_item(number))])
        tokens = torch.tensor(np.asarray(prompt, np.int64))[None]
        with torch.inference_mode():
            hidden = checkpoint.model(tokens, torch.arange(tokens.shape[1])[None])[0, -1]
            scores = hidden @ checkpoint.model.item_embeddings().T
        log_probs = torch.log_softmax(scores.float(), dim=0).numpy()[codes]
        log_probs[number] = -np.inf
        best = np.argsort(-log_probs, kind="stable")[:7]
        found = sorted(
            (row for row in rows if row["user_id"] == f"i{number:02d}"), key=lambda row: row["rank"]
        )
        assert [row["item_id"] for row in found] == [f"i{other:02d}" for other in best]
        assert [row["log_prob"] for row in found] == pytest.approx(log_probs[best], abs=1e-4)


def test_confidence_is_calibrated_for_candidates_and_p_yes_for_real_rows(tmp_path: Path) -> None:
    path, digest = _saved(tmp_path / "discriminator", "discriminator")
    history = [_item(n) for n in range(4)]
    requests = [
        [
            {"prefix_length": 4, **_item(9), "log_prob": -2.0},
            {"prefix_length": 4, **_item(10), "log_prob": -3.0},
        ],
        [
            {"prefix_length": 0, **_item(0), "log_prob": None},
            {"prefix_length": 3, **_item(3), "log_prob": None},
        ],
    ]
    columns = [
        pa.array(["u", "u"]),
        pa.array([history, history], pa.list_(ITEM)),
        pa.array(requests, pa.list_(REQUEST)),
    ]
    batch = pa.RecordBatch.from_arrays(columns, names=["user_id", "history", "requests"])
    task = InferenceTask(path, digest, "prompt", batch_tokens=64, device="cpu", schema=SCORED)
    results = infer_partition(iter([batch]), task, load_discriminator, score_batch)
    rows = [row for out in results for row in out.to_pylist()]
    assert [row["source"] for row in rows] == ["synthetic", "synthetic", "real", "real"]
    for row, log_prob in zip(rows, (-2.0, -3.0), strict=False):
        logit = np.log(row["p_yes"] / (1 - row["p_yes"]))
        assert row["confidence"] == pytest.approx(
            1 / (1 + np.exp(-(log_prob + 0.5 * logit - 0.25)))
        )
    for row in rows[2:]:
        assert row["confidence"] == row["p_yes"]
    assert all(row["decision"] == (row["p_yes"] >= 0.5) for row in rows)


@pytest.mark.spark
@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without CUDA")
@pytest.mark.faults("F21", end="error")
def test_a_device_that_is_not_there_is_the_users_mistake_even_in_a_worker(
    spark: SparkSession, tmp_path: Path
) -> None:
    users = spark.createDataFrame(_users(range(1)).to_pandas())
    task = _generate_task("folder", "digest", device="cuda")
    candidates = infer(users, task, load_generator, propose_batch, "generator")
    config = Config(lake=LakeConfig(root=str(tmp_path)))
    with pytest.raises(MissingDependencyError, match="set the stage's device to auto or cpu"):
        put_rows(
            Lake(spark, config.lake),
            config,
            "candidates",
            candidates.select(F.lit("base").alias("branch"), "*"),
            scopes=[{"branch": "base"}],
        )
