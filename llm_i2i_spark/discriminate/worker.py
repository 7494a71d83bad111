"""The discriminator in Spark's Python workers: histories with scoring requests in, scored
interactions out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llm_i2i_spark.lake.batch_inference import Columns, InferenceTask
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.prompts.templates import DISCRIMINATOR

if TYPE_CHECKING:
    from llm_i2i_spark.lm.calibration import Calibration
    from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint

Float64Array = NDArray[np.float64]


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
        The columns of the table `scored`, without the constants of the task.
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
    logit = np.concatenate([np.empty(0), *logits])
    users = batch.column("user_id").to_pylist()
    flat = [(user, request) for user, row in zip(users, rows, strict=True) for request in row]
    log_prob = np.array(
        [np.nan if request["log_prob"] is None else request["log_prob"] for _, request in flat],
        dtype=np.float64,
    )
    p_yes = 1.0 / (1.0 + np.exp(-logit))
    return {
        "user_id": [user for user, _ in flat],
        "item_id": [request["item_id"] for _, request in flat],
        "source": np.where(np.isnan(log_prob), "real", "synthetic").tolist(),
        "p_yes": p_yes,
        "confidence": _confidence(p_yes, logit, log_prob, checkpoint.calibration),
        "decision": p_yes >= 0.5,
    }


def _confidence(
    p_yes: Float64Array,
    logit: Float64Array,
    log_prob: Float64Array,
    calibration: Calibration | None,
) -> Float64Array:
    """Calibrated for candidates, which have a log-probability; p_yes for real interactions."""
    synthetic = ~np.isnan(log_prob)
    confidence: Float64Array = p_yes.copy()
    if calibration is not None and synthetic.any():
        confidence[synthetic] = calibration.confidence(log_prob[synthetic], logit[synthetic])
    return confidence
