"""The function that Spark ships to its Python workers: histories with questions in, scored
interactions out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class ScoreTask:
    """All a worker needs to know; travels with the function.

    Attributes:
        checkpoint_path: folder of the discriminator, readable from every worker.
        model_digest: what the folder must hold.
        schema: the Arrow schema of the table `scored`.
    """

    checkpoint_path: str
    model_digest: str
    prompt_digest: str
    batch_tokens: int
    device: str
    schema: pa.Schema


def score_partition(batches: Iterator[pa.RecordBatch], task: ScoreTask) -> Iterator[pa.RecordBatch]:
    """Judge every question of a partition: one forward pass a history, shared by its questions.

    p_yes is the softmax over the two labels' logits in fp32, taken once. Confidence is, for a
    candidate, the checkpoint's calibration of the generator's log-probability and the
    discriminator's logit; for a real interaction it is p_yes.

    Args:
        batches: `user_id, history, questions array<struct<prefix_length, item_id, text,
            log_prob>>`.
        task: model and settings.

    Yields:
        Rows of the table `scored`, one batch for each that came in.
    """
    from llm_i2i_spark.lm.checkpoint import cached_checkpoint
    from llm_i2i_spark.lm.scoring import Question, score
    from llm_i2i_spark.prompts.items import Item

    checkpoint = None
    for batch in batches:
        if batch.num_rows == 0:
            continue
        checkpoint = checkpoint or cached_checkpoint(
            task.checkpoint_path, task.model_digest, task.device
        )
        histories = [
            [Item(e["item_id"], e["text"]) for e in history]
            for history in batch.column("history").to_pylist()
        ]
        asked = batch.column("questions").to_pylist()
        questions = [
            [Question(q["prefix_length"], Item(q["item_id"], q["text"])) for q in row]
            for row in asked
        ]
        logits = score(checkpoint, histories, questions, task.batch_tokens)
        yield _scored(
            batch.column("user_id").to_pylist(), asked, logits, checkpoint.calibration, task
        )


def _scored(
    users: list[str],
    asked: list[list[dict[str, Any]]],
    logits: list[Any],
    calibration: Any,
    task: ScoreTask,
) -> pa.RecordBatch:
    import numpy as np

    flat = [(user, question) for user, row in zip(users, asked, strict=True) for question in row]
    logit = np.concatenate(logits).astype(np.float64) if flat else np.empty(0)
    log_prob = np.array(
        [np.nan if question["log_prob"] is None else question["log_prob"] for _, question in flat],
        dtype=np.float64,
    )
    synthetic = ~np.isnan(log_prob)
    p_yes = 1.0 / (1.0 + np.exp(-logit))
    confidence = p_yes.copy()
    if calibration is not None and synthetic.any():
        confidence[synthetic] = calibration.confidence(log_prob[synthetic], logit[synthetic])
    columns = {
        "user_id": [user for user, _ in flat],
        "item_id": [question["item_id"] for _, question in flat],
        "source": np.where(synthetic, "synthetic", "real").tolist(),
        "p_yes": p_yes,
        "confidence": confidence,
        "decision": p_yes >= 0.5,
        "model_digest": [task.model_digest] * len(flat),
        "prompt_digest": [task.prompt_digest] * len(flat),
    }
    return pa.RecordBatch.from_pydict(columns, schema=task.schema)
