"""`make benchmark BENCH=quality`: new items, one JSON object a line.

All clicks of 5 % of the items and each user's last click are hidden; an index to serve is made from
the rest. It is asked for the hidden clicks, and for the last clicks on the other items.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from tests.benchmarks.quality.scorer import (
    Index,
    Query,
    Ranks,
    rank,
    read_index,
    report_ranks,
)
from tests.benchmarks.report import LeftOut, log_message, report_left_out, report_plain
from tests.benchmarks.swing.logs import SHARED

SYSTEMS = (("real", "text"), ("real", "blend"), ("llm_i2i", "blend"))
BOOSTS = (1, 2, 4, 8)
"""Values of `index.new_item_boost`."""
HIDDEN_SHARE = 0.05
SEED = 42


def main() -> int:
    options = parse(sys.argv[1:])
    try:
        with tempfile.TemporaryDirectory(prefix="quality-benchmark-") as made:
            report_new_items(options, options.folder or Path(made))
    except LeftOut as error:
        report_left_out("new_items", str(error))
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="quality", description=__doc__)
    parser.add_argument("--only", default="new_items", choices=["new_items"])
    parser.add_argument("--repeat", type=int, default=1, help="is not used: each run is one")
    parser.add_argument("--log", default="beauty", help="of the measuring data, with items")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    parser.add_argument("--folder", type=Path, default=None, help="for log, lake and indexes")
    return parser.parse_args(arguments)


def report_new_items(options: argparse.Namespace, folder: Path) -> None:
    """Report recall of hidden items and of the others."""
    data = SHARED / "data"
    log_file, items_file = (
        data / f"{options.log}_{name}.parquet" for name in ("interactions", "items")
    )
    if not log_file.exists() or not items_file.exists():
        raise LeftOut(f"the measuring data (../shared/data/{log_file.name}) is not on this machine")
    log = pd.read_parquet(log_file).astype({"item_id": str})
    log = log.sort_values(["user_id", "pos"], kind="stable")
    items = np.sort(log["item_id"].unique())
    chosen = np.random.default_rng(SEED).permutation(items)[: int(len(items) * HIDDEN_SHARE)]
    hidden = set(chosen.tolist())
    is_last = ~log["user_id"].duplicated(keep="last")
    is_hidden = log["item_id"].isin(hidden)
    folder.mkdir(parents=True, exist_ok=True)
    log[~is_last & ~is_hidden].to_parquet(folder / "log.parquet", index=False)
    run(options, folder, items_file)
    report_indexes(folder, log, set(items), hidden)


def report_indexes(folder: Path, log: pd.DataFrame, items: set[str], hidden: set[str]) -> None:
    """Score the exported indexes."""
    new, others = queries(log, hidden)
    log_message(
        f"{len(hidden):,} items hidden; {len(new):,} clicks on them, {len(others):,} others"
    )
    text: Ranks | None = None
    for variant, backbone in SYSTEMS:
        name = f"{variant}_{backbone}"
        index = read_index(folder / f"{name}.parquet")
        without_new = rank(index, others, items - hidden)
        for boost in BOOSTS if backbone == "blend" else (1,):
            boosted = boost_new_items(index, hidden, boost)
            found = rank(boosted, new)
            text = text or found
            report_ranks(f"new_items_{name}_boost_{boost}", found, text)
            report_ranks(f"others_{name}_boost_{boost}", rank(boosted, others), without_new)
        # What the best new item for everybody would find, in place of the tenth of ten.
        report_ranks(f"among_new_items_{name}", rank(index, new, hidden))
        report_plain(f"first_nine_{name}", float(without_new.recall(9).mean()))
        lists = set(index)
        neighbors = set().union(*index.values())
        report_plain(
            f"fill_{name}",
            len(lists) / len(items),
            new_with_a_list=len(hidden & lists) / len(hidden),
            new_as_a_neighbor=len(hidden & neighbors) / len(hidden),
        )


def boost_new_items(index: Index, new: set[str], boost: float) -> Index:
    """The index of `index.new_item_boost`, for scores that are not normalised by row."""
    return {
        item: {
            neighbor: score * (boost if neighbor in new else 1) for neighbor, score in row.items()
        }
        for item, row in index.items()
    }


def queries(log: pd.DataFrame, hidden: set[str]) -> tuple[list[Query], list[Query]]:
    """Every click on a hidden item, from the other clicks before it; every last click on another
    item, from the other clicks before it.
    """
    new: list[Query] = []
    others: list[Query] = []
    for items in log.groupby("user_id", sort=True)["item_id"].agg(list):
        known: list[str] = []
        for place, item in enumerate(items):
            if item in hidden:
                if known:
                    new.append(Query(list(known), item))
                continue
            if place == len(items) - 1 and known:
                others.append(Query(list(known), item))
            known.append(item)
    return new, others


def run(options: argparse.Namespace, folder: Path, items_file: Path) -> None:
    """Make the indexes, each a file."""
    lake = ["--set", f"lake.root={folder / 'lake'}"]
    settings = [
        f"ingest.interactions={folder / 'log.parquet'}",
        f"ingest.items={items_file}",
        "split.holdout=none",
        *options.settings,
    ]
    sets = [word for setting in settings for word in ("--set", setting)]
    for variants, backbones in (("real", "text,blend"), ("llm_i2i", "blend")):
        command = ["run", "--variants", variants, "--backbones", backbones]
        _llm_i2i(*command, *lake, *sets)
    for variant, backbone in SYSTEMS:
        out = str(folder / f"{variant}_{backbone}.parquet")
        one = ["--variant", variant, "--backbone", backbone]
        _llm_i2i("index-export", "--out", out, *one, *lake)


def _llm_i2i(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "llm_i2i_spark", *arguments], check=True, stdout=2)


if __name__ == "__main__":
    sys.exit(main())
