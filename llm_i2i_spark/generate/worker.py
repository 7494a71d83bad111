"""The generator in Spark's Python workers: batches of users in, proposed interactions out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
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

    @property
    def constants(self) -> dict[str, str]:
        """As `InferenceTask.constants`."""
        return {**super().constants, "decode_digest": self.decode_digest}


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
        The columns of the table `candidates`, without the constants of the task.
    """
    from llm_i2i_spark.lm.decoding import rank_catalogue

    users = batch.column("user_id").to_pylist()
    histories = [
        [Item(entry["item_id"], entry["text"]) for entry in history]
        for history in batch.column("history").to_pylist()
    ]
    owned = [frozenset(items) for items in batch.column("owned").to_pylist()]
    ranking = rank_catalogue(checkpoint, histories, owned, task.per_user, task.batch_tokens)
    item_ids = checkpoint.vocabulary.item_ids
    first = np.searchsorted(ranking.users, ranking.users)
    return {
        "user_id": [users[user] for user in ranking.users.tolist()],
        "item_id": [item_ids[item] for item in ranking.items.tolist()],
        "rank": np.arange(1, len(first) + 1) - first,
        "log_prob": ranking.log_probs,
    }
