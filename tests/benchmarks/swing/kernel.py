"""The kernel in one process: against the same algorithm in C, and against the merge loop of Flink
ML and Alink.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from llm_i2i_spark.kernels.arrays import read_only
from llm_i2i_spark.kernels.csr import UserCsr
from llm_i2i_spark.kernels.edge_format import ITEM_SHIFT, NO_CAP
from llm_i2i_spark.kernels.hash_sampling import mark_capped, sampling_thresholds
from llm_i2i_spark.kernels.swing import TABLE_CELLS, swing_block
from llm_i2i_spark.kernels.top_k import Neighbors
from tests.benchmarks.report import LeftOut, interleaved, median, process_seconds, report
from tests.benchmarks.swing.logs import Clicks, beauty, click_matrix, item_hashes, one_block
from tests.benchmarks.swing.options import A1, A2, TOP_K, B, Options

SOURCE = Path(__file__).with_name("swing.c")
ROUNDING_ERROR = 2.0**-41
ROUNDS = 3
"""Times `repeat`: the jobs are short, and a median of more calls is steadier."""


def run_kernel(csr: UserCsr, cap: int = NO_CAP) -> Neighbors:
    """All items as one block.

    Args:
        csr: all users; marked by `marked` where there is a cap.
        cap: users that an item's row sums over.
    """
    n_items = int(csr.indices.max() >> ITEM_SHIFT) + 1
    return swing_block(csr, one_block(n_items, cap), A1, A2, B, TOP_K)


def marked(csr: UserCsr, cap: int) -> UserCsr:
    """The rows as a block gets them: edges above their item's sampling threshold are marked."""
    n_users = np.bincount(csr.indices >> ITEM_SHIFT)
    thresholds = sampling_thresholds(n_users, cap)
    edges = mark_capped(csr, item_hashes(len(n_users)), thresholds)
    return csr._replace(indices=read_only(edges))


class Yardsticks:
    """swing.c, built for this machine, on one log."""

    def __init__(self, csr: UserCsr, folder: Path) -> None:
        self._library = ctypes.CDLL(str(_build(folder)))
        self._library.swing_table.restype = self._library.swing_merge.restype = ctypes.c_int64
        self._offsets = np.ascontiguousarray(csr.indptr)
        self._items = (csr.indices >> ITEM_SHIFT).astype(np.int32)
        self._weights = (A1 + np.diff(csr.indptr)) ** -B
        self._n_items = int(self._items.max()) + 1
        rows = self._n_items * TOP_K
        self._found = np.empty(rows, np.int32), np.empty(rows, np.int32), np.empty(rows)

    def table(self) -> int:
        """The kernel's own algorithm. Returns the number of rows."""
        return self._call(self._library.swing_table, ctypes.c_int64(TABLE_CELLS))

    def merge(self) -> int:
        """The peers' loop. Returns the number of rows."""
        return self._call(self._library.swing_merge)

    def check(self, rows: int, expected: Neighbors) -> None:
        """Refuse to compare times where the results differ."""
        _, neighbor, score = (column[:rows] for column in self._found)
        same = rows == len(expected.item) and bool(
            (np.abs(score / expected.similarity - 1) <= ROUNDING_ERROR).all()
        )
        if not same or not (neighbor == expected.neighbor).mean() > 0.99:
            raise AssertionError("swing.c and the kernel differ")

    def _call(self, function: Any, *more: Any) -> int:
        inputs = (
            self._pointer(self._offsets),
            self._pointer(self._items),
            self._pointer(self._weights),
        )
        outputs = (self._pointer(column) for column in self._found)
        return int(
            function(
                len(self._weights),
                self._n_items,
                *inputs,
                ctypes.c_double(A2),
                TOP_K,
                *more,
                *outputs,
            )
        )

    @staticmethod
    def _pointer(array: np.ndarray[Any, Any]) -> ctypes.c_void_p:
        return array.ctypes.data_as(ctypes.c_void_p)


def kernel(options: Options) -> None:
    """Report kernel_over_c and merge_over_kernel."""
    clicks: Clicks = beauty()
    csr = click_matrix(clicks)
    with tempfile.TemporaryDirectory() as folder:
        c = Yardsticks(csr, Path(folder))
        expected = run_kernel(csr)
        for yardstick in (c.table, c.merge):
            c.check(yardstick(), expected)
        jobs = {
            name: partial(process_seconds, run)
            for name, run in (
                ("kernel", partial(run_kernel, csr)),
                ("c", c.table),
                ("merge", c.merge),
            )
        }
        found = interleaved(ROUNDS * options.repeat, jobs)
    seconds = {f"{name}_seconds": median(numbers) for name, numbers in found.items()}
    ours = seconds["kernel_seconds"]
    report(
        "kernel_over_c",
        ours / seconds["c_seconds"],
        "<=",
        1.3,
        log="beauty",
        repeat=ROUNDS * options.repeat,
        **seconds,
    )
    report(
        "merge_over_kernel",
        seconds["merge_seconds"] / ours,
        ">=",
        9,
        log="beauty",
        repeat=ROUNDS * options.repeat,
        **seconds,
    )


def _build(folder: Path) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise LeftOut("there is no C compiler (cc) on the PATH")
    library = folder / "swing.so"
    subprocess.run(
        [
            compiler,
            "-O3",
            "-march=native",
            "-shared",
            "-fPIC",
            "-o",
            str(library),
            str(SOURCE),
            "-lm",
        ],
        check=True,
    )
    return library
