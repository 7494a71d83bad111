from __future__ import annotations

import pytest

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.ingest.time_patterns import fitting_patterns, read_pattern


@pytest.mark.parametrize(
    ("text", "pattern", "has_weekday"),
    [
        ("%m/%d/%Y %I:%M:%S %p", "M/d/yyyy h:m:s a", False),
        ("%D %T", "M/d/yy H:m:s", False),
        ("%Y%m%dT%H%M%S", "yyyyMMdd'T'HHmmss", False),
        ("%d/%b/%Y:%H:%M:%S %z", "d/MMM/yyyy:H:m:s [XXX][XX][X]", False),
        ("%A, %d %B %Y", "d MMMM yyyy", True),
        ("100%% %Y", "100'%' yyyy", False),
        ("yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd'T'HH:mm", False),
        ("'Ende' yyyy", "'Ende' yyyy", False),
    ],
)
def test_patterns_of_strptime_and_of_spark_are_read(text, pattern, has_weekday):
    assert read_pattern(text) == (pattern, has_weekday)


@pytest.mark.parametrize("text", ["%Q", "%Y-%", "YYYY-MM-dd", "timestamp", "''", " "])
def test_what_is_no_pattern_is_a_sentence(text):
    with pytest.raises(UserError, match=r"ingest\.ts_format=.*; (write|use|leave)|leave it out"):
        read_pattern(text)


@pytest.mark.parametrize(
    ("values", "patterns"),
    [
        (["11/12/2019 2:14:46 PM", "11/13/2019 5:53:12 AM"], ["M/d/yyyy h:m:s a"]),
        (["11/12/2019", "1/2/2019"], ["M/d/yyyy", "d/M/yyyy"]),
        (["Fri Apr 07 22:59:00 -0700 2017"], ["E MMM d H:m:s [XXX][XX][X] yyyy"]),
        (["Fri Apr  7 22:59:00 2017"], ["E MMM d H:m:s yyyy"]),
        (["20240101123000"], ["yyyyMMddHHmmss"]),
        (["2019/11/12 10:00"], ["yyyy/M/d H:m"]),
        (["31.12.2019"], ["d.M.yyyy"]),
        (["08:00:00"], []),
        (["1394618400"], []),
        (["11/12/2019", "soon"], []),
        ([], []),
    ],
)
def test_the_patterns_that_fit_all_values_are_found(values, patterns):
    assert fitting_patterns(values) == patterns
    for pattern in patterns:
        read_pattern(pattern)
