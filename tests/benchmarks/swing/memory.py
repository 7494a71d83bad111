"""How much memory a block takes in its worker: the growth of a fresh process's resident set over
the block's Arrow bytes.

Resident pages are counted since no Python tool sees what compiled code allocates. The process is
given what a worker gets: a stream of batches, read as it goes, and the task's own function on it.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from llm_i2i_spark.backbones.cooccurrence.block_engine import BlockTask, similar_in_block
from llm_i2i_spark.backbones.cooccurrence.item_blocks import assign_balanced
from llm_i2i_spark.backbones.cooccurrence.item_norms import ItemNorms
from llm_i2i_spark.backbones.cooccurrence.packed_lists import pack
from llm_i2i_spark.backbones.cooccurrence.user_lists import EDGES_PER_ROW
from llm_i2i_spark.kernels.arrays import read_only
from llm_i2i_spark.kernels.csr import UserCsr
from llm_i2i_spark.kernels.edge_format import ITEM_SHIFT
from llm_i2i_spark.kernels.hash_sampling import sampling_thresholds
from llm_i2i_spark.kernels.splitting import split_by_block
from tests.benchmarks.report import log_message, median, report
from tests.benchmarks.swing.engine import GOLDEN
from tests.benchmarks.swing.kernel import marked
from tests.benchmarks.swing.logs import click_matrix, item_hashes, synthetic
from tests.benchmarks.swing.options import CAP, Options

TIMES = 2.8
"""Users and items of the log, over those of the synthetic log: so that a half of it is more than 64
MB.
"""
BLOCKS = 2


def memory(options: Options) -> None:
    """Report block_memory."""
    log = synthetic(round(TIMES * options.users), round(TIMES * options.items))
    csr = marked(click_matrix(log), CAP)
    task = _task(csr)
    paths = (
        options.folder / "small.arrow",
        options.folder / "block.arrow",
        options.folder / "task.pickle",
    )
    paths[2].write_bytes(pickle.dumps(task))
    _write_block(_first_users(csr, 1000), task, paths[0])
    _write_block(csr, task, paths[1])
    runs = []
    for turn in range(options.repeat):
        runs.append(_measure(*paths))
        log_message(f"  {turn + 1}/{options.repeat} {runs[-1]}")
    arrow, peak = runs[0]["arrow_bytes"], median(run["peak_bytes"] for run in runs)
    report(
        "block_memory",
        peak / arrow,
        "<=",
        8,
        arrow_bytes=arrow,
        peak_bytes=peak,
        rows=runs[0]["rows"],
        repeat=options.repeat,
    )


def _task(csr: UserCsr) -> BlockTask:
    n_users = np.bincount(csr.indices >> ITEM_SHIFT)
    return BlockTask(
        assign_balanced(n_users, BLOCKS, CAP),
        BLOCKS,
        item_hashes(len(n_users)),
        sampling_thresholds(n_users, CAP),
        GOLDEN.model_copy(update={"max_users_per_item": CAP}),
        ItemNorms(),
    )


def _first_users(csr: UserCsr, n: int) -> UserCsr:
    return UserCsr(
        read_only(csr.keys[:n]),
        read_only(csr.indptr[: n + 1]),
        read_only(csr.indices[: csr.indptr[n]]),
        csr.data,
    )


def _write_block(csr: UserCsr, task: BlockTask, path: Path) -> None:
    """The packed lists of block 0, each row of them a batch as Spark's batches have few."""
    split = split_by_block(csr, read_only(task.block_of_item), task.blocks)
    of_block = _first_users(split.csr, int(split.row_starts[1]))
    rows = next(iter(pack(of_block, EDGES_PER_ROW)))
    blocks = pa.array(np.zeros(rows.num_rows, np.int32))
    batch = pa.RecordBatch.from_arrays([blocks, *rows.columns], names=["block", *rows.schema.names])
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, batch.schema) as writer:
        for start in range(batch.num_rows):
            writer.write_batch(batch.slice(start, 1))


def _measure(small: Path, block: Path, task: Path) -> dict[str, int]:
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.swing.memory",
        str(small),
        str(block),
        str(task),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, int] = json.loads(done.stdout)
    return measured


def _worker(small: Path, block: Path, task: Path) -> None:
    """In the fresh process: a small block first, which loads the compiled code, then the block."""
    block_task = pickle.loads(task.read_bytes())
    _read(small, block_task)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _resident("VmRSS")
    arrow, rows = _read(block, block_task)
    print(
        json.dumps({"arrow_bytes": arrow, "peak_bytes": _resident("VmHWM") - before, "rows": rows})
    )


def _read(path: Path, task: BlockTask) -> tuple[int, int]:
    """Bytes in, rows out."""
    received = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal received
        with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as reader:
            for batch in reader:
                received += batch.nbytes
                yield batch

    rows = sum(found.num_rows for found in similar_in_block(batches(), task))
    return received, rows


def _resident(name: str) -> int:
    """Linux: VmRSS is what this process holds, VmHWM the most that it held since `clear_refs`."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(
        int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(name)
    )


if __name__ == "__main__":
    _worker(*map(Path, sys.argv[1:]))
