"""`make benchmark BENCH=audit`: the audit of a lake of ten million fused rows, one JSON object a
line.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.project import Project
from tests.benchmarks.audit.lake import INDEX, write_lake
from tests.benchmarks.audit.measure import Cost, measure
from tests.benchmarks.report import log_message, median, report

NAMES = ("trace", "trace_user", "diff", "forget_plan", "verify", "forget")
NEED_SPARK = frozenset({"trace", "trace_user", "forget"})
GOAL_SECONDS = 60.0
SPARK = {"spark.master": "local[2]", "spark.memory": "4g"}


class Work:
    """The commands, each on another item or user a time.

    Args:
        project: with the lake.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        lake = DeltaRsLake(project.config.lake)
        index = lake.read("item_index", None, ["item_id", "neighbors"], INDEX)
        firsts = pc.struct_field(pc.list_element(index["neighbors"], 0), "item_id")
        self._edges = dict(zip(index["item_id"].to_pylist(), firsts.to_pylist(), strict=True))
        log = lake.read("interactions", None, ["user_id", "item_id"])
        self._items = [item for item in _by_rows(log["item_id"]) if item in self._edges]
        self._users = _by_rows(log["user_id"])

    def trace(self, turn: int) -> None:
        """An item of every popularity in turn, the first neighbour in its list: of 3 calls those at
        one, two and three quarters of all items.
        """
        item = self._items[len(self._items) * (turn % 3 + 1) // 4]
        self._project.trace(item, self._edges[item])

    def trace_user(self, turn: int) -> None:
        """A user of median length."""
        self._project.trace_user(self._user(turn))

    def diff(self, turn: int) -> None:
        """The index under two settings: every list has changed."""
        self._project.diff()

    def forget_plan(self, turn: int) -> None:
        """What holds a user of median length."""
        self._project.forget(self._user(turn))

    def forget(self, turn: int) -> None:
        """The erasure itself, with its own plan and proof."""
        self._project.forget(self._user(turn + 1000), yes=True)

    def verify(self, turn: int) -> None:
        """Every row and every page."""
        self._project.verify()

    def _user(self, turn: int) -> str:
        return self._users[len(self._users) // 2 + turn]


def main() -> int:
    options = parse(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="audit-benchmark-", dir=options.folder) as own:
        folder = Path(options.keep or own)
        project = write_lake(folder, options.scale, SPARK)
        if options.only == "lake":
            return 0
        work = Work(project)
        names = options.only.split(",")
        if not NEED_SPARK.isdisjoint(names):
            project.lake.spark.range(10).count()  # its start is no part of a command
        rows = _rows(folder / "lake" / "fused")
        for name in names:
            _report(name, rows, _costs(getattr(work, name), options.repeat, folder / "lake"))
    return 0


def _rows(table: Path) -> int:
    files = pa.table(DeltaTable(table).get_add_actions(flatten=True))
    return int(pc.sum(files["num_records"]).as_py())


def _costs(work: Callable[[int], None], repeat: int, lake: Path) -> list[Cost]:
    costs = []
    for turn in range(repeat):
        costs.append(measure(partial(work, turn), lake))
        log_message(f"  {turn + 1}/{repeat} {costs[-1]}")
    return costs


def _report(name: str, rows: int, costs: list[Cost]) -> None:
    read = [cost.files_read for cost in costs if cost.files_read is not None]
    report(
        f"audit_{name}",
        median(cost.seconds for cost in costs),
        "<=",
        GOAL_SECONDS,
        unit="s",
        fused_rows=rows,
        peak_gb=max(cost.peak_gb for cost in costs),
        files_read=median(read) if read else None,
        files=costs[0].files,
        read_mb=median(cost.read_mb for cost in costs),
        repeat=len(costs),
    )


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="audit", description=__doc__)
    parser.add_argument(
        "--only",
        default=",".join(NAMES),
        help=f"some of {', '.join(NAMES)}, or lake: make it alone",
    )
    parser.add_argument("--repeat", type=int, default=3, help="calls behind each median")
    parser.add_argument("--scale", type=float, default=1.0, help="of users and items")
    parser.add_argument("--folder", default=None, help="for the lake")
    parser.add_argument(
        "--keep", default=None, help="a folder for a lake that stays, and is gone on"
    )
    return parser.parse_args(arguments)


def _by_rows(ids: pa.ChunkedArray) -> list[str]:
    """Ids by their number of rows, the most first."""
    return [one for one, _ in Counter(ids.to_pylist()).most_common()]


if __name__ == "__main__":
    sys.exit(main())
