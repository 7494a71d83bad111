"""Times as public logs write them, in sessions of either kind of SQL."""

from __future__ import annotations

import datetime as dt

import pytest
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.sections.ingest import IngestConfig
from llm_i2i_spark.ingest.times import TimeFormat, time_format, time_of

pytestmark = pytest.mark.spark


AS_EVER = TimeFormat()


@pytest.fixture(params=["true", "false"], ids=["ansi", "not_ansi"], autouse=True)
def _ansi(spark, request):
    before = spark.conf.get("spark.sql.ansi.enabled")
    spark.conf.set("spark.sql.ansi.enabled", request.param)
    yield
    spark.conf.set("spark.sql.ansi.enabled", before)


def times(spark, cases: list[str], written: TimeFormat = AS_EVER) -> list[object]:
    """Values of many types, each given as SQL, as times in one query."""
    frame = spark.sql("SELECT " + ", ".join(f"{sql} AS c{i}" for i, sql in enumerate(cases)))
    kinds = [(field.name, field.dataType) for field in frame.schema.fields]
    return list(
        frame.select(*(time_of(F.col(name), kind, name, written) for name, kind in kinds)).first()
    )


def test_times_are_read_from_every_unit_and_notation(spark):
    moment = dt.datetime(2014, 3, 12, 10, 0)
    cases = [
        ("1394618400", moment),
        ("1394618400000L", moment),
        ("1394618400000000L", moment),
        ("1394618400000000000L", moment),
        ("1394618400.5D", moment + dt.timedelta(seconds=0.5)),
        ("'1394618400'", moment),
        ("'2014-03-12T10:00:00Z'", moment),
        ("'2014-03-12 12:00:00+02:00'", moment),
        ("DATE'2014-03-12'", dt.datetime(2014, 3, 12)),
        ("TIMESTAMP_NTZ'2014-03-12 10:00:00'", moment),
        ("0", dt.datetime(1970, 1, 1)),
        ("20140312", dt.datetime(2014, 3, 12)),
        ("'20140312'", dt.datetime(2014, 3, 12)),
        ("20140312.0D", dt.datetime(2014, 3, 12)),
        ("20141332", dt.datetime(1970, 8, 22, 2, 48, 52)),
        ("'1.3946184e9'", moment),
        ("'1394618400.'", moment),
        ("'1394618400000000000'", moment),
        ("'2014-03-12 10'", moment),
        ("'2014-03-12T10'", moment),
        ("'2014-03-12 10:00:00 UTC'", moment),
        ("'10:00:00'", None),
        ("'T10:00'", None),
        ("' 10:00'", None),
        ("'12/03/2014'", None),
        ("'yesterday'", None),
        ("CAST('NaN' AS double)", None),
        ("1e300D", None),
        ("''", None),
    ]
    assert times(spark, [sql for sql, _ in cases]) == [wanted for _, wanted in cases]


@pytest.mark.parametrize(
    ("pattern", "sql", "wanted"),
    [
        ("%m/%d/%Y %I:%M:%S %p", "'11/12/2019 2:14:46 PM'", "2019-11-12 14:14:46"),
        ("M/d/yyyy h:mm:ss a", "'11/12/2019 2:14:46 PM'", "2019-11-12 14:14:46"),
        ("M/d/yyyy h:mm:ss a", "'12/11/2019  12:00:01 am '", "2019-12-11 00:00:01"),
        ("dd.MM.yyyy", "'01.02.2019'", "2019-02-01"),
        ("%a %b %d %H:%M:%S %z %Y", "'Fri Apr 07 22:59:00 -0700 2017'", "2017-04-08 05:59:00"),
        ("EEE MMM dd HH:mm:ss Z yyyy", "'Fri Apr 07 22:59:00 -0700 2017'", "2017-04-08 05:59:00"),
        ("%a %b %d %H:%M:%S %Y", "'Fri Apr  7 22:59:00 2017'", "2017-04-07 22:59:00"),
        ("yyyyMMdd", "20240101", "2024-01-01"),
        ("%Y%m%d", "20240101.0D", "2024-01-01"),
        ("yyyyMMddHHmmss", "'20240101123059'", "2024-01-01 12:30:59"),
        ("%Y-%m-%d %H:%M:%S.%f", "'2019-01-02 03:04:05.25'", "2019-01-02 03:04:05.25"),
        ("M/d/yyyy", "'2019-01-02'", None),
        ("M/d/yyyy", "1394618400", None),
        ("M/d/yyyy", "TIMESTAMP'2019-01-02 03:04:05'", "2019-01-02 03:04:05"),
    ],
)
def test_a_pattern_alone_decides_on_numbers_and_text(spark, pattern, sql, wanted):
    written = time_format(IngestConfig(ts_format=pattern), spark)
    assert times(spark, [sql], written) == [wanted and dt.datetime.fromisoformat(wanted)]


def test_a_clock_that_starts_in_1970_has_seconds_throughout(spark):
    written = time_format(IngestConfig(min_ts="1970-01-01"), spark)
    found = times(spark, ["10", "20", "20240101", "'20240101'"], written)
    assert (
        found
        == [dt.datetime(1970, 1, 1) + dt.timedelta(seconds=s) for s in (10, 20)]
        + [dt.datetime(1970, 8, 23, 6, 15, 1)] * 2
    )


def test_what_is_no_pattern_or_no_type_for_times_is_a_sentence(spark):
    with pytest.raises(UserError, match=r"ingest\.ts_format='ddd' is not a pattern of Spark's"):
        time_format(IngestConfig(ts_format="ddd"), spark)
    with pytest.raises(UserError, match="column c0 is array"):
        times(spark, ["array(1)"])
