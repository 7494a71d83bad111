"""Compiling the kernels before they are needed: once, in a process beside the driver, so that no
task of this machine does.

The machine code is kept on disk, so after the first time this takes a second or two. Executors on
other machines compile at their first task.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from llm_i2i_spark.backbones.cooccurrence.block_engine import (
    BlockTask,
    similar_in_block,
    split_lists,
)
from llm_i2i_spark.backbones.cooccurrence.encoded_batches import encode_batches
from llm_i2i_spark.backbones.cooccurrence.item_norms import ItemNorms
from llm_i2i_spark.backbones.cooccurrence.user_lists import (
    Dictionary,
    group_slices,
    slice_batches,
)
from llm_i2i_spark.base.console import Progress
from llm_i2i_spark.kernels.edge_format import NO_THRESHOLD

if TYPE_CHECKING:
    from llm_i2i_spark.backbones.cooccurrence.backbone import CooccurrenceBackbone


@cache
def _process(backbone: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", __name__, backbone],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def start_warmup(backbone: str) -> None:
    """Begin to compile the kernel of the backbone of this name, and return at once."""
    _process(backbone)


def wait_for_warmup(backbone: str) -> None:
    """Begin where nobody has, and wait. A failure shows itself where the kernel is called."""
    with Progress("compiling (once on this machine)", unit="kernels"):
        _process(backbone).wait()


def compile_kernels(backbone: CooccurrenceBackbone) -> int:
    """Send three users through all that tasks run, with arrays as they come from Spark.

    Returns:
        The number of neighbours found.
    """
    n_items = 4
    users, items = np.repeat(np.arange(3), n_items), np.tile(np.arange(n_items, dtype=np.int32), 3)
    rows = {
        "user": pa.array(users),
        "key": pa.array(users.astype(np.int32)),
        "item_id": pa.array(items).cast(pa.string()),
        "weight": pa.array([None] * len(users), pa.float64()),
        "position": pa.array(items),
    }
    item_hashes, ones = np.arange(n_items, dtype=np.int32), np.ones(n_items)
    thresholds = np.full(n_items, NO_THRESHOLD, np.uint64)
    block_of_item = np.zeros(n_items, np.uint16)
    task = BlockTask(block_of_item, 1, item_hashes, thresholds, backbone, ItemNorms(ones, ones))
    dictionary = Dictionary(np.arange(n_items), np.arange(n_items, dtype=np.uint32))
    encoded = next(encode_batches(iter([pa.RecordBatch.from_pydict(rows)])))
    hashed = encoded.append_column("id_hashes", pa.array([dictionary.id_hashes]))
    slices = _as_received(slice_batches(iter(_as_received(iter([hashed]))), dictionary, 1))
    lists = _as_received(group_slices(iter(slices), item_hashes, n_items - 1))
    blocks = _as_received(split_lists(iter(lists), task))
    return sum(batch.num_rows for batch in similar_in_block(iter(blocks), task))


def _as_received(batches: Iterator[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The batches as a task receives them: buffers that may not be written to."""
    table = pa.Table.from_batches(batches)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    found: list[pa.RecordBatch] = pa.ipc.open_stream(sink.getvalue()).read_all().to_batches()
    return found


if __name__ == "__main__":
    from llm_i2i_spark.backbones import find_backbone

    os.nice(10)  # the stages before are not to wait for it
    compile_kernels(find_backbone(sys.argv[1])())  # type: ignore[arg-type]
