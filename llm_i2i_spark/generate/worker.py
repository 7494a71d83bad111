"""The generator in Spark's Python workers: batches of users in, proposed interactions out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from llm_i2i_spark.lake.batch_inference import Columns, InferenceTask
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.prompts.templates import GENERATOR

if TYPE_CHECKING:
    from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint


@dataclass(frozen=True)
class GenerateTask(InferenceTask):
    """The generator's task; its results are rows of the table `candidates`.

    Attributes:
        decode_digest: digest of the settings of decoding; a column of the results.
        per_user: items proposed to a user.
    """

    decode_digest: str
    per_user: int


def load_generator(task: GenerateTask, gpu_address: str | None) -> LoadedCheckpoint:
    """The generator's checkpoint, loaded once a worker and device."""
    from llm_i2i_spark.lm.model_cache import cached_checkpoint

    return cached_checkpoint(
        task.checkpoint_path, task.model_digest, GENERATOR, task.device, gpu_address
    )


def propose_batch(
    batch: pa.RecordBatch, checkpoint: LoadedCheckpoint, task: GenerateTask
) -> Columns:
    """Propose `per_user` items to every user.

    Args:
        batch: `user_id, history array<struct<item_id, text>>, owned array<string>`.
        checkpoint: of `load_generator`.
        task: settings.

    Returns:
        The columns of the table `candidates`, without the digests of model and prompt.
    """
    from llm_i2i_spark.lm.decoding import propose

    users = batch.column("user_id").to_pylist()
    histories = [
        [Item(entry["item_id"], entry["text"]) for entry in history]
        for history in batch.column("history").to_pylist()
    ]
    owned = [frozenset(items) for items in batch.column("owned").to_pylist()]
    proposals = propose(checkpoint, histories, owned, task.per_user, task.batch_tokens)
    rows = [
        (user, proposal.item_id, rank, proposal.log_prob)
        for user, of_user in zip(users, proposals, strict=True)
        for rank, proposal in enumerate(of_user, start=1)
    ]
    return {
        "user_id": [row[0] for row in rows],
        "item_id": [row[1] for row in rows],
        "rank": [row[2] for row in rows],
        # The log-probability of a certain item may come out as 1e-8 above zero.
        "log_prob": [min(row[3], 0.0) for row in rows],
        "decode_digest": [task.decode_digest] * len(rows),
    }
