"""Behind a synthetic row of LLM-CF: the steps of similar users that voted for it, each with its
reasoning.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Row
from pyspark.sql import functions as F

from llm_i2i_spark.audit.lineage import Lineage, Origin, recorded
from llm_i2i_spark.audit.trace.checkpoints import find_checkpoints, named_checkpoint
from llm_i2i_spark.audit.trace.synthetic_origin import Retrieval, RetrievedExample
from llm_i2i_spark.audit.trace.users import UserItem
from llm_i2i_spark.base.errors import TableNotFoundError


def trace_retrieval(
    lineage: Lineage, retrieved: Origin, pairs: Sequence[UserItem]
) -> dict[UserItem, Retrieval]:
    """What is behind rows of `retrieved`, by (user_id, item_id).

    Args:
        lineage: of the lake.
        retrieved: the version whose rows are asked about.
        pairs: (user_id, item_id) of the rows.

    Raises:
        TableNotFoundError: a version upstream cannot be read any more or carries no run record.
    """
    recorded(retrieved)
    models = find_checkpoints(lineage, retrieved, "generator")
    users, items = sorted({user for user, _ in pairs}), sorted({item for _, item in pairs})
    asked = F.col("user_id").isin(users) & F.col("item_id").isin(items)
    rows = {
        (row["user_id"], row["item_id"]): row for row in lineage.read(retrieved, "retrieved", asked)
    }
    examples = _examples(lineage, retrieved, [row for pair, row in rows.items() if pair in pairs])
    return {
        pair: Retrieval(
            rank=row["rank"],
            share=row["share"],
            model=named_checkpoint(models, "generator", row["model_digest"]),
            examples=tuple(
                RetrievedExample(
                    example_id=vote["example_id"],
                    user_id=examples[vote["example_id"]]["user_id"],
                    similarity=vote["similarity"],
                    share=vote["share"],
                    reason_id=examples[vote["example_id"]]["reason_id"],
                    reasoning=examples[vote["example_id"]]["reasoning"],
                )
                for vote in row["votes"]
            ),
        )
        for pair, row in rows.items()
        if pair in pairs
    }


def _examples(lineage: Lineage, retrieved: Origin, rows: Sequence[Row]) -> dict[str, Row]:
    """The examples that voted for some rows, by id, at the version that was read."""
    ids = sorted({vote["example_id"] for row in rows for vote in row["votes"]})
    table, record = "in_context_examples", recorded(retrieved).record
    version = record.attributes["examples_version"] if record else None
    written = lineage.find(table, retrieved.scope, version)
    if written is None:
        raise TableNotFoundError(
            f"The table {table}, whose examples {retrieved.table} v{retrieved.written} names, is"
            " gone; run the stages from retrieve again."
        )
    found = lineage.read(written, table, F.col("example_id").isin(ids))
    return {row["example_id"]: row for row in found}
