"""The job's rows against the golden file, and against themselves: other partitions, shuffled rows,
other ids.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tests.benchmarks.report import LeftOut, log_message, report
from tests.benchmarks.swing.engine import Engine, engine
from tests.benchmarks.swing.logs import SHARED, Clicks, beauty
from tests.benchmarks.swing.options import Options

PARTITIONS = (1, 2, 7, 64)
TOLERANCE = 1e-12


class Rows(NamedTuple):
    """Similarities with integer ids, by item, the best first, the lower neighbour where they are
    equal.
    """

    item: npt.NDArray[np.int64]
    neighbor: npt.NDArray[np.int64]
    score: npt.NDArray[np.float64]


class Difference(NamedTuple):
    """Between two results.

    Attributes:
        missing: rows of the first without a row of the second; a row that ties with the last of its
            item may stand for another such.
        error: the largest relative difference of the scores, rank by rank; infinite where the
            counts of an item differ.
    """

    missing: int
    error: float

    @property
    def is_small(self) -> bool:
        """Whether the two are one result."""
        return self.missing == 0 and self.error <= TOLERANCE


def golden(options: Options) -> None:
    """Report golden: the value is the number of missing rows."""
    expected = read_golden()
    clicks = beauty()
    spark = engine(options.folder)
    log = spark.write(clicks, "beauty")
    spark.run(log)
    found = read_rows(spark)
    against_golden = compare(expected, found)
    other_of_tie = len(np.setdiff1d(_pairs(expected), _pairs(found))) - against_golden.missing
    identical = {str(n): _is_identical(spark, log, n, found) for n in PARTITIONS}
    relabelled = _relabelled(spark, clicks, found)
    log_message(f"  identical for partitions: {identical}; relabelled ids: {relabelled}")
    report(
        "golden",
        against_golden.missing,
        "==",
        0,
        also=against_golden.is_small and all(identical.values()) and relabelled.is_small,
        rows=len(found.item),
        expected_rows=len(expected.item),
        other_of_a_tie=other_of_tie,
        relative_error=against_golden.error,
        bit_identical=identical,
        relabelled_missing=relabelled.missing,
        relabelled_relative_error=relabelled.error,
    )


def read_golden() -> Rows:
    """The golden file.

    Raises:
        LeftOut: it is not there.
    """
    path = SHARED / "golden" / "beauty_swing_top10.tsv"
    if not path.is_file():
        raise LeftOut(
            "the golden result (../shared/golden/beauty_swing_top10.tsv) is not on this machine"
        )
    item, _, neighbor, score = np.loadtxt(path, unpack=True, comments="#")
    return _sorted(item.astype(np.int64), neighbor.astype(np.int64), score)


def read_rows(spark: Engine) -> Rows:
    """What the job wrote."""
    rows = spark.read(spark.out)
    table = rows.select(
        F.col("item_id").cast("bigint"), F.col("neighbor_id").cast("bigint"), "similarity"
    ).toArrow()
    return _sorted(*(column.to_numpy() for column in table.columns))


def compare(first: Rows, second: Rows) -> Difference:
    """Tied groups are sets, also where the end of a list cuts one."""
    if not np.array_equal(first.item, second.item):
        return Difference(abs(len(first.item) - len(second.item)), float("inf"))
    error = float(np.abs(first.score / second.score - 1).max(initial=0.0))
    last_of_item = np.append(np.flatnonzero(np.diff(first.item)), len(first.item) - 1)
    worst = first.score[last_of_item][np.searchsorted(first.item[last_of_item], first.item)]
    tied_with_last = first.score <= worst * (1 + TOLERANCE)
    absent = ~np.isin(_pairs(first), _pairs(second))
    return Difference(int((absent & ~tied_with_last).sum()), error)


def _is_identical(spark: Engine, log: DataFrame, partitions: int, expected: Rows) -> bool:
    """The rows shuffled; as many partitions of the log and of its users, and item blocks."""
    shuffled = log.orderBy(F.rand(partitions)).repartition(partitions)
    spark.run(shuffled, blocks=partitions, partitions=partitions)
    found = read_rows(spark)
    same_ids = np.array_equal(_pairs(found), _pairs(expected))
    return same_ids and np.array_equal(found.score.view(np.int64), expected.score.view(np.int64))


def _relabelled(spark: Engine, clicks: Clicks, expected: Rows) -> Difference:
    """The result of the log with permuted ids of users and items, its ids put back."""
    draw = np.random.default_rng(5)
    user_of, item_of = (
        draw.permutation(int(ids.max()) + 1).astype(np.int32)
        for ids in (clicks.users, clicks.items)
    )
    spark.run(spark.write(Clicks(user_of[clicks.users], item_of[clicks.items]), "relabelled"))
    found = read_rows(spark)
    back = np.argsort(item_of)
    return compare(expected, _sorted(back[found.item], back[found.neighbor], found.score))


def _sorted(
    item: npt.NDArray[np.int64], neighbor: npt.NDArray[np.int64], score: npt.NDArray[np.float64]
) -> Rows:
    order = np.lexsort((neighbor, -score, item))
    return Rows(item[order], neighbor[order], score[order])


def _pairs(rows: Rows) -> npt.NDArray[np.int64]:
    """One number a pair of ids."""
    return (rows.item << 32) + rows.neighbor
