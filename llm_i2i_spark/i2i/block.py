"""Engine `block`: every user's list goes once to each item block it touches; a block is one call of compiled code.

One exchange carries the lists; the kernel ends with each item's best neighbours, so similarities of pairs are never rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.i2i.agreement import CAPPED

BLOCK_BYTES = 128 * 2**20
EDGE_BYTES = 4 + 8 + 1
"""Of an edge in a shipped list: item, weight, marks."""
NEIGHBOR_BYTES = 4 + 4 + 8 + 4 + 8
"""Of a row that the kernel returns."""
BATCH_ROWS = 65_536
SIMILAR = "item int, neighbor int, similarity double, support int, synthetic_share double"


def choose_blocks(squared: float, cores: int) -> int:
    """How many item blocks keep each within its byte budget, and every core busy.

    A user with n items is shipped to at most n blocks and reaches at most n * n neighbours, so the sum of squares bounds
    what all blocks hold together; items are dealt to blocks by their number, which spreads it evenly.

    Args:
        squared: sum of squared list lengths.
        cores: tasks that run at once.
    """
    return max(math.ceil(squared * (EDGE_BYTES + NEIGHBOR_BYTES) / BLOCK_BYTES), 2 * cores)


def similar_by_block(lists: DataFrame, blocks: int, a2: float, top_k: int) -> DataFrame:
    """Swing of all items, `blocks` kernel calls in all.

    Args:
        lists: `user_id, user_weight, edges`, from `user_lists`.
        blocks: item blocks; any number gives the same rows.
        a2: added to the number of common items.
        top_k: neighbours kept an item.

    Returns:
        `item int, neighbor int, similarity double, support int, synthetic_share double`.
    """
    counted = F.filter("edges", lambda e: e["marks"].bitwiseAND(F.lit(CAPPED).cast("tinyint")) == 0)
    touched = F.array_distinct(F.transform(counted, lambda e: e["item"] % blocks))
    columns = [F.col(f"edges.{name}").alias(name) for name in ("item", "weight", "marks")]
    shipped = lists.select(F.explode(touched).alias("block"), "user_id", "user_weight", *columns)
    in_blocks = shipped.repartitionById(blocks, "block").sortWithinPartitions("user_id").drop("user_id")
    return in_blocks.mapInArrow(partial(_similar_in_block, blocks=blocks, a2=a2, top_k=top_k), SIMILAR)


def _similar_in_block(batches: Iterator[pa.RecordBatch], blocks: int, a2: float, top_k: int) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers, once a block; the compiled code is loaded from disk at a worker's first call."""
    from llm_i2i_spark.i2i.kernel import UserLists, swing_block

    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    table = pa.Table.from_batches(received).combine_chunks()
    received.clear()
    block = table["block"][0].as_py()
    assert table["block"][-1].as_py() == block, "a partition holds one block"
    item, weight, marks = (table[name].chunk(0) for name in ("item", "weight", "marks"))
    lists = UserLists(
        item.offsets.to_numpy(), item.values.to_numpy(), weight.values.to_numpy(), marks.values.to_numpy(), table["user_weight"].to_numpy()
    )
    found = swing_block(lists, block, blocks, a2, top_k)
    rows = pa.RecordBatch.from_arrays([pa.array(column) for column in found], names=list(found._fields))
    for start in range(0, rows.num_rows, BATCH_ROWS):
        yield rows.slice(start, BATCH_ROWS)
