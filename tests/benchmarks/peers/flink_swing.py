"""Time Flink ML's Swing in the peer's own Python (3.8): one JSON line with the seconds of an empty
job and of the Swing job.

The README of this folder makes the environment. Standalone on purpose: this interpreter is too old
for our package.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from jvm_jobs import open_jdk, seconds

open_jdk()

from pyflink.datastream import StreamExecutionEnvironment  # noqa: E402
from pyflink.ml.recommendation.swing import Swing  # noqa: E402
from pyflink.table import StreamTableEnvironment, Table  # noqa: E402


def environment(clicks: Path, work: Path, parallelism: int) -> tuple[StreamTableEnvironment, int]:
    """Make the tables `clicks` (a headerless copy: Flink's CSV format knows no header), `swing` and
    `trivial` (sinks that discard).

    Returns:
        The table environment and the number of clicks.
    """
    _, _, body = clicks.read_text(encoding="utf-8").partition("\n")
    (work / "clicks.csv").write_text(body, encoding="utf-8")
    streams = StreamExecutionEnvironment.get_execution_environment()
    streams.set_parallelism(parallelism)
    tables = StreamTableEnvironment.create(streams)
    source = (
        f"'connector' = 'filesystem', 'format' = 'csv', 'path' = '{(work / 'clicks.csv').as_uri()}'"
    )
    tables.execute_sql(f"CREATE TABLE clicks (`user` BIGINT, item BIGINT) WITH ({source})")
    tables.execute_sql(
        "CREATE TABLE swing (item BIGINT, neighbours STRING) WITH ('connector' = 'blackhole')"
    )
    tables.execute_sql("CREATE TABLE trivial (item BIGINT) WITH ('connector' = 'blackhole')")
    return tables, len(body.splitlines())


def neighbours(tables: StreamTableEnvironment, options: argparse.Namespace, no_cap: int) -> Table:
    """Link the clicks to Swing with nobody dropped: `no_cap`, the number of clicks, is a cap that
    no user or item reaches.
    """
    swing = (
        Swing()
        .set_user_col("user")
        .set_item_col("item")
        .set_output_col("neighbours")
        .set_k(options.k)
    )
    swing.set_min_user_behavior(1).set_max_user_behavior(no_cap).set_max_user_num_per_item(no_cap)
    swing.set_alpha1(options.a1).set_alpha2(options.a2).set_beta(options.b)
    return swing.transform(tables.from_path("clicks"))[0]


def write(result: Table, out: Path) -> None:
    """Write one line an item: {"item": 1, "neighbours": [[2, 0.5], ...]}."""
    with out.open("w", encoding="utf-8") as lines:
        for item, joined in result.execute().collect():
            pairs = [pair.split(",") for pair in joined.split(";")]
            lines.write(
                json.dumps(
                    {
                        "item": item,
                        "neighbours": [[int(other), float(score)] for other, score in pairs],
                    }
                )
                + "\n"
            )


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
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--a1", type=int, default=5)
    parser.add_argument("--a2", type=int, default=1)
    parser.add_argument("--b", type=float, default=0.3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        tables, no_cap = environment(options.clicks, Path(work), options.parallelism)
        trivial = "INSERT INTO trivial VALUES (CAST(1 AS BIGINT))"
        empty_first, empty = seconds(lambda: tables.execute_sql(trivial).wait(), options.repeat)
        swing_first, swing = seconds(
            lambda: neighbours(tables, options, no_cap).execute_insert("swing").wait(),
            options.repeat,
        )
        start = time.perf_counter()
        if options.out:
            write(neighbours(tables, options, no_cap), options.out)
        collected = time.perf_counter() - start if options.out else None
    report = {"peer": "apache-flink-ml 2.3.0", "seconds_empty": empty, "seconds_swing": swing}
    report.update(first_empty=empty_first, first_swing=swing_first, seconds_collected=collected)
    report.update(repeat=options.repeat, parallelism=options.parallelism)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
