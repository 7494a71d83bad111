from __future__ import annotations

import pytest
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.ingest.values import id_text, number_of, prompt_text, text_of

pytestmark = pytest.mark.spark


def converted(spark, convert, cases: list[tuple[str, object]]) -> list[object]:
    """Values of many types, each given as SQL, through one conversion in one query."""
    frame = spark.sql("SELECT " + ", ".join(f"{sql} AS c{i}" for i, (sql, _) in enumerate(cases)))
    kinds = [field.dataType for field in frame.schema.fields]
    row = frame.select(
        *(convert(F.col(f"c{i}"), kinds[i], f"c{i}").alias(f"c{i}") for i in range(len(cases)))
    ).collect()[0]
    return list(row)


def test_ids_are_kept_exactly_or_refused_never_merged(spark):
    cases = [
        ("'007'", "007"),
        ("7", "7"),
        ("9223372036854775807L", "9223372036854775807"),
        ("CAST('18446744073709551615' AS decimal(20,0))", "18446744073709551615"),
        ("CAST(7.00 AS decimal(5,2))", "7"),
        ("CAST(7.50 AS decimal(5,2))", None),
        ("7.0D", "7"),
        ("-3.0D", "-3"),
        ("7.5D", None),
        ("CAST('NaN' AS double)", None),
        ("CAST('Infinity' AS double)", None),
        ("9007199254740992.0D", None),
        ("CAST(16777216 AS float)", None),
        ("CAST(12 AS float)", "12"),
        ("' a '", " a "),
    ]
    assert converted(spark, id_text, cases) == [wanted for _, wanted in cases]


def test_numbers_and_texts(spark):
    cases = [
        ("12", 12),
        ("'1.5'", 1.5),
        ("'x'", None),
        ("CAST('NaN' AS double)", None),
        ("'Infinity'", None),
    ]
    assert converted(spark, number_of, cases) == [wanted for _, wanted in cases]
    texts = [
        ("'as given '", "as given "),
        ("' \\u00a0\\t'", None),
        ("1984", "1984"),
        ("array('Home', '', NULL, 'Lamps')", "Home > Lamps"),
        ("array(array('Home', 'Lamps'), array('Kids'))", "Home > Lamps"),
        ("CAST(array() AS array<array<string>>)", None),
        ("CAST(array() AS array<string>)", None),
    ]
    assert converted(spark, text_of, texts) == [wanted for _, wanted in texts]


def test_types_that_hold_no_such_value_are_a_sentence(spark):
    for convert, sql in (
        (id_text, "true"),
        (number_of, "DATE'2020-01-01'"),
        (text_of, "map('a', 'b')"),
    ):
        with pytest.raises(UserError, match=r"column c0|Column c0"):
            converted(spark, convert, [(sql, None)])


def test_prompt_text_folds_blanks_drops_invisible_characters_and_cuts(spark):
    texts = [
        "  a\t\n b\u00a0c ",
        "a\u0000b\u202ec\u200b",
        "\U0001f468\u200d\U0001f469",
        "\u0007",
        "x" * 20,
        "abcdefgh i",
    ]
    rows = (
        spark.createDataFrame(list(enumerate(texts)), "n int, t string")
        .orderBy("n")
        .select(prompt_text(F.col("t"), 9))
        .collect()
    )
    assert [row[0] for row in rows] == [
        "a b c",
        "abc",
        "\U0001f468\u200d\U0001f469",
        None,
        "x" * 9,
        "abcdefgh",
    ]
