"""The discriminator in Spark's Python workers: histories with scoring requests in, scored
interactions out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from llm_i2i_spark.lake.batch_inference import Columns, InferenceTask
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.prompts.templates import DISCRIMINATOR

if TYPE_CHECKING:
    from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint


def load_discriminator(task: InferenceTask, gpu_address: str | None) -> LoadedCheckpoint:
    """The discriminator's checkpoint, loaded once a worker and device."""
    from llm_i2i_spark.lm.model_cache import cached_checkpoint

    return cached_checkpoint(
        task.checkpoint_path, task.model_digest, DISCRIMINATOR, task.device, gpu_address
    )


def score_batch(
    batch: pa.RecordBatch, checkpoint: LoadedCheckpoint, task: InferenceTask
) -> Columns:
    """Score every request; a history is encoded once for all of its requests.

    p_yes is the sigmoid of the Yes-minus-No logit, in fp64. The confidence of a candidate is the
    checkpoint's calibration of the generator's log-probability and that logit; of a real
    interaction, and without a calibration, it is p_yes.

    Args:
        batch: `user_id, history, requests array<struct<prefix_length, item_id, text, log_prob>>`;
            log_prob is null for a real interaction.
        checkpoint: of `load_discriminator`.
        task: settings.

    Returns:
        The columns of the table `scored`, without the digests of model and prompt.
    """
    from llm_i2i_spark.lm.encoding import ScoringRequest
    from llm_i2i_spark.lm.scoring import score

    histories = [
        [Item(entry["item_id"], entry["text"]) for entry in history]
        for history in batch.column("history").to_pylist()
    ]
    rows = batch.column("requests").to_pylist()
    requests = [
        [
            ScoringRequest(request["prefix_length"], Item(request["item_id"], request["text"]))
            for request in row
        ]
        for row in rows
    ]
    logits = score(checkpoint, histories, requests, task.batch_tokens)
    users = batch.column("user_id").to_pylist()
    flat = [(user, request) for user, row in zip(users, rows, strict=True) for request in row]
    logit = np.concatenate(logits).astype(np.float64) if flat else np.empty(0)
    log_prob = np.array(
        [np.nan if request["log_prob"] is None else request["log_prob"] for _, request in flat],
        dtype=np.float64,
    )
    synthetic = ~np.isnan(log_prob)
    p_yes = 1.0 / (1.0 + np.exp(-logit))
    confidence = p_yes.copy()
    if checkpoint.calibration is not None and synthetic.any():
        confidence[synthetic] = checkpoint.calibration.confidence(
            log_prob[synthetic], logit[synthetic]
        )
    return {
        "user_id": [user for user, _ in flat],
        "item_id": [request["item_id"] for _, request in flat],
        "source": np.where(synthetic, "synthetic", "real").tolist(),
        "p_yes": p_yes,
        "confidence": confidence,
        "decision": p_yes >= 0.5,
    }
