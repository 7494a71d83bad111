"""The function that Spark ships to its Python workers: batches of users in, proposed interactions
out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class GenerateTask:
    """All a worker needs to know; travels with the function.

    Attributes:
        checkpoint_path: folder of the generator, readable from every worker.
        model_digest: what the folder must hold.
        schema: the Arrow schema of the table `candidates`.
    """

    checkpoint_path: str
    model_digest: str
    prompt_digest: str
    decode_digest: str
    per_user: int
    batch_tokens: int
    device: str
    schema: pa.Schema


def generate_partition(
    batches: Iterator[pa.RecordBatch], task: GenerateTask
) -> Iterator[pa.RecordBatch]:
    """Propose `per_user` items for every user of a partition.

    Args:
        batches: `user_id, history array<struct<item_id, text>>, owned array<string>`.
        task: model and settings.

    Yields:
        Rows of the table `candidates`, one batch for each that came in.
    """
    from llm_i2i_spark.lm.checkpoint import cached_checkpoint
    from llm_i2i_spark.lm.decoding import propose
    from llm_i2i_spark.prompts.items import Item

    checkpoint = None
    for batch in batches:
        if batch.num_rows == 0:
            continue
        # Inside the loop: an empty partition must not load a model.
        checkpoint = checkpoint or cached_checkpoint(
            task.checkpoint_path, task.model_digest, task.device
        )
        users = batch.column("user_id").to_pylist()
        histories = [
            [Item(entry["item_id"], entry["text"]) for entry in history]
            for history in batch.column("history").to_pylist()
        ]
        owned = [frozenset(items) for items in batch.column("owned").to_pylist()]
        proposals = propose(checkpoint, histories, owned, task.per_user, task.batch_tokens)
        rows = [
            (user, proposal.item_id, rank, proposal.log_prob)
            for user, proposed in zip(users, proposals, strict=True)
            for rank, proposal in enumerate(proposed, start=1)
        ]
        yield _candidates(rows, task)


def _candidates(rows: list[tuple[str, str, int, float]], task: GenerateTask) -> pa.RecordBatch:
    columns = {
        "user_id": [row[0] for row in rows],
        "item_id": [row[1] for row in rows],
        "rank": [row[2] for row in rows],
        # A log-probability of a sure thing may come out as 1e-8 above zero.
        "log_prob": [min(row[3], 0.0) for row in rows],
        "model_digest": [task.model_digest] * len(rows),
        "prompt_digest": [task.prompt_digest] * len(rows),
        "decode_digest": [task.decode_digest] * len(rows),
    }
    return pa.RecordBatch.from_pydict(columns, schema=task.schema)
