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

import numpy as np
import pyarrow as pa

from llm_i2i_spark.backbones.cooccurrence.block_engine import (
    BlockTask,
    similar_in_block,
    split_lists,
)
from llm_i2i_spark.backbones.cooccurrence.encoded_batches import encode_batches
from llm_i2i_spark.backbones.cooccurrence.item_norms import Statistics
from llm_i2i_spark.backbones.cooccurrence.user_lists import Dictionary, build_lists, number_chunks
from llm_i2i_spark.base.console import Progress
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.i2i import I2iConfig
from llm_i2i_spark.kernels.edge_format import NO_LIMIT


@cache
def _process(backbone: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", __name__, backbone],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def start_compiling(config: Config) -> None:
    """Begin, and go on with other work."""
    _process(config.i2i.backbone)


def wait_until_compiled(config: Config) -> None:
    """Begin if nobody has, and wait. A failure shows itself where the kernel is called."""
    with Progress("i2i: compiling (once on this machine)", unit="kernels"):
        _process(config.i2i.backbone).wait()


def compile_kernels(settings: I2iConfig) -> int:
    """Send three users through all that tasks run, with arrays as they come from Spark.

    Returns:
        The neighbours found.
    """
    n_items = 4
    users, items = np.repeat(np.arange(3), n_items), np.tile(np.arange(n_items, dtype=np.int32), 3)
    rows = {
        "user": pa.array(users),
        "key": pa.array(users.astype(np.int32)),
        "item_id": pa.array(items).cast(pa.string()),
    }
    rows |= {"weight": pa.array([None] * len(users), pa.float64()), "position": pa.array(items)}
    lots, ones = np.arange(n_items, dtype=np.int32), np.ones(n_items)
    limits = np.full(n_items, NO_LIMIT, np.uint64)
    task = BlockTask(
        np.zeros(n_items, np.uint16), 1, lots, limits, settings, Statistics(ones, ones)
    )
    dictionary = Dictionary(np.arange(n_items), np.arange(n_items, dtype=np.uint32))
    chunk = next(encode_batches(iter([pa.RecordBatch.from_pydict(rows)])))
    hashed = chunk.append_column("hashes", pa.array([dictionary.hashes]))
    pieces = _over_the_wire(number_chunks(iter(_over_the_wire(iter([hashed]))), dictionary, 1))
    lists = _over_the_wire(build_lists(iter(pieces), lots, n_items - 1))
    blocks = _over_the_wire(split_lists(iter(lists), task))
    return sum(batch.num_rows for batch in similar_in_block(iter(blocks), task))


def _over_the_wire(batches: Iterator[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The batches as a task receives them: buffers that may not be written to."""
    table = pa.Table.from_batches(batches)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    found: list[pa.RecordBatch] = pa.ipc.open_stream(sink.getvalue()).read_all().to_batches()
    return found


if __name__ == "__main__":
    os.nice(10)  # the stages before are not to wait for it
    compile_kernels(I2iConfig(backbone=sys.argv[1]))
