"""Time Alink's Swing in the peer's own Python (3.7): one JSON line with the seconds of an empty job
and of the Swing job.

The README of this folder makes the environment. Standalone on purpose: this interpreter is too old
for our package.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path

from jvm_jobs import open_jdk, seconds

open_jdk()

with contextlib.redirect_stdout(sys.stderr):  # its import prints a greeting
    import pandas
    from pyalink.alink import BatchOperator, CsvSourceBatchOp, SwingTrainBatchOp, useLocalEnv
    from pyalink.alink.py4j_util import get_java_gateway


def model(clicks: Path, options: argparse.Namespace, no_cap: int) -> BatchOperator:
    """Link the clicks to Swing with nobody dropped: `no_cap`, the number of clicks, is a cap that
    no user or item reaches.
    """
    source = (
        CsvSourceBatchOp()
        .setFilePath(str(clicks))
        .setSchemaStr("user long, item long")
        .setIgnoreFirstLine(True)
    )
    swing = SwingTrainBatchOp().setUserCol("user").setItemCol("item")
    swing.setMinUserItems(1).setMaxUserItems(no_cap).setMaxItemNumber(no_cap)
    swing.setUserAlpha(options.a1).setAlpha(options.a2).setUserBeta(options.b)
    return swing.linkFrom(source)


def discard(result: BatchOperator) -> None:
    """Run the job to its last row inside the JVM and drop the rows there: no sink's cost is
    counted.
    """
    sink = get_java_gateway().jvm.org.apache.flink.api.java.io.DiscardingOutputFormat()
    result.get_j_obj().getDataSet().output(sink)
    BatchOperator.execute()


def write(result: BatchOperator, out: Path) -> None:
    """Write one line an item: {"item": 1, "neighbours": [[2, 0.5], ...]}; Alink's model holds every
    neighbour, not the top k.
    """
    with out.open("w", encoding="utf-8") as lines:
        for item, packed in result.collectToDataframe().itertuples(index=False):
            found = json.loads(packed)
            if "object" in found:  # the model's first row holds its settings instead
                pairs = [
                    [int(other), found["score"][rank]] for rank, other in enumerate(found["object"])
                ]
                lines.write(json.dumps({"item": int(item), "neighbours": pairs}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--clicks", type=Path, required=True, help="CSV of integers with a header: user,item"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="one more run, collected into Python and written there: seconds_collected",
    )
    parser.add_argument("--repeat", type=int, default=3, help="warm runs")
    parser.add_argument("--parallelism", type=int, default=2)
    parser.add_argument("--a1", type=float, default=5.0)
    parser.add_argument("--a2", type=float, default=1.0)
    parser.add_argument("--b", type=float, default=0.3)
    options = parser.parse_args()
    clicks = options.clicks.resolve()
    no_cap = len(clicks.read_text(encoding="utf-8").splitlines())
    one = pandas.DataFrame({"item": [1]})
    with contextlib.redirect_stdout(
        sys.stderr
    ):  # Alink prints as it goes; our stdout is one JSON line
        useLocalEnv(options.parallelism)
        empty_first, empty = seconds(
            lambda: discard(BatchOperator.fromDataframe(one, "item long")), options.repeat
        )
        swing_first, swing = seconds(
            lambda: discard(model(clicks, options, no_cap)), options.repeat
        )
        start = time.perf_counter()
        if options.out:
            write(model(clicks, options, no_cap), options.out)
        collected = time.perf_counter() - start if options.out else None
    report = {"peer": "pyalink 1.6.2", "seconds_empty": empty, "seconds_swing": swing}
    report.update(first_empty=empty_first, first_swing=swing_first, seconds_collected=collected)
    report.update(repeat=options.repeat, parallelism=options.parallelism)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
