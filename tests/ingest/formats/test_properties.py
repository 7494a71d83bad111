"""For any text: what is written in a supported form is read back exactly, or refused with a reason;
rows that are quarantined change nothing else.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from llm_i2i_spark.base.sections.ingest import IngestConfig
from llm_i2i_spark.ingest.formats.base import INTERNAL
from llm_i2i_spark.ingest.formats.encodings import UNDECODABLE, decode, text_of
from llm_i2i_spark.ingest.formats.json_values import json_values
from llm_i2i_spark.ingest.formats.quoting import (
    QuotedFields,
    Record,
    choose_style,
    count_states,
    join_records,
)
from llm_i2i_spark.ingest.readers import read_source

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
TRICKY = st.text(st.sampled_from(list("a1 ,;\t|\"\\\n\r'{}[]:é\u2028\ufeff")), max_size=12)
FIELD = st.one_of(TEXT, TRICKY)
ROWS = st.lists(st.lists(FIELD, min_size=3, max_size=3), min_size=1, max_size=30)


def as_csv(rows: list[list[str]], separator: str, **style: object) -> str:
    file = io.StringIO()
    csv.writer(file, delimiter=separator, lineterminator="\n", **style).writerows(rows)  # type: ignore[arg-type]
    return file.getvalue()


@given(rows=ROWS, separator=st.sampled_from([",", ";", "\t", "|"]))
@example(rows=[["", '"', "\n"]], separator=",")
def test_records_of_any_fields_are_found_again(rows: list[list[str]], separator: str) -> None:
    written = as_csv(rows, separator, quoting=csv.QUOTE_ALL)
    lines = written.splitlines(keepends=True) if "\n" not in written else None
    physical = lines or list(io.StringIO(written, newline=""))
    records = list(join_records(physical, QuotedFields(separator, '"'), 3))
    assert [record.problem for record in records] == [None] * len(rows)
    assert [
        next(csv.reader(io.StringIO(one.text, newline=""), delimiter=separator)) for one in records
    ] == rows


@given(field=FIELD)
@example(field='"\n')
def test_one_row_with_an_escaped_quote_tells_how_quotes_are_escaped(field: str) -> None:
    rows = [["id", 'A "fine" title', "b"], ["x", "y", field.replace("\r", "")]]
    written = as_csv(rows, ",", quoting=csv.QUOTE_ALL, escapechar="\\", doublequote=False)
    lines = [line.rstrip("\n") for line in io.StringIO(written, newline="")]
    assert choose_style(count_states(lines, ","), by_default=True).escape == "\\"


@given(text=st.one_of(TRICKY, TEXT).map(lambda one: one * 3))
def test_no_text_is_lost_between_records(text: str) -> None:
    lines = list(io.StringIO(text, newline=""))
    records = list(join_records(lines, QuotedFields(",", '"'), 2))
    assert "".join(record.text for record in records).replace("\r", "").replace("\n", "") == (
        text.replace("\r", "").replace("\n", "")
    )


@given(
    objects=st.lists(
        st.dictionaries(FIELD, st.one_of(FIELD, st.integers(), st.lists(FIELD)), min_size=1)
    ),
    indent=st.sampled_from([None, 2]),
    as_array=st.booleans(),
    size=st.integers(1, 50),
)
def test_json_objects_are_found_in_any_pieces(objects, indent, as_array: bool, size: int) -> None:
    parts = [json.dumps(one, indent=indent, ensure_ascii=False) for one in objects]
    text = "[" + ",\n".join(parts) + "]" if as_array else "\n".join(parts)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    records = list(json_values(pieces))
    assert [json.loads(record.text) for record in records] == objects
    assert {record.problem for record in records} <= {None}


@given(text=FIELD, encoding=st.sampled_from(["utf-8", "utf-16", "utf-8-sig", "gb18030"]))
def test_text_is_decoded_as_it_was_encoded(text: str, encoding: str) -> None:
    content = text.lstrip("\ufeff").encode(encoding)
    assert decode(content, encoding) == text.lstrip("\ufeff")
    assert "".join(text_of(io.BytesIO(content), encoding)) == text.lstrip("\ufeff")


@given(
    content=st.binary(max_size=40),
    encoding=st.sampled_from(["utf-8", "gbk", "shift_jis", "latin-1"]),
)
def test_bytes_that_are_not_of_the_encoding_are_always_seen(content: bytes, encoding: str) -> None:
    decoded = decode(content, encoding)
    try:
        wanted = content.decode(encoding)
    except UnicodeDecodeError as error:
        wanted = None
        cut_off = error.end == len(content)  # by the end of a sample, which is no fault of it
    if wanted is None:
        assert UNDECODABLE in decoded or cut_off
    else:
        assert decoded == wanted.removeprefix("\ufeff")


def usable(fields: list[str]) -> bool:
    """Rows whose text says the same in every form: empty text is no value in delimited files."""
    return all(field.strip() for field in fields) and not any("\r" in field for field in fields)


@pytest.mark.spark
@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("log.csv", {"quoting": csv.QUOTE_MINIMAL}),
        ("log.csv", {"quoting": csv.QUOTE_ALL}),
        ("log.csv", {"quoting": csv.QUOTE_ALL, "escapechar": "\\", "doublequote": False}),
        ("log.tsv", {"delimiter": "\t", "quoting": csv.QUOTE_ALL}),
        ("log.jsonl", {}),
        ("log.json", {}),
    ],
    ids=["csv", "quoted", "escaped", "tabs", "lines", "array"],
)
@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.tuples(FIELD, FIELD, FIELD), min_size=30, max_size=60).map(
        lambda rows: [list(row) for row in rows if usable(list(row))]
    )
)
def test_what_is_written_is_read_back(spark, tmp_path: Path, name: str, form, rows) -> None:
    rows = [["id", 'A "fine" title', "b"], *rows]
    path = tmp_path / name
    names = ["item_id", "title", "brand"]
    if name.startswith("log.json"):
        objects = [dict(zip(names, row, strict=True)) for row in rows]
        text = (
            json.dumps(objects)
            if name == "log.json"
            else "".join(json.dumps(one) + "\n" for one in objects)
        )
    else:
        options = dict(form)
        text = as_csv([names, *rows], options.pop("delimiter", ","), **options)
    path.write_bytes(text.encode())
    frame = read_source(spark, IngestConfig(items=str(path)), "items").frame
    read = frame.select(*names, *INTERNAL[:2]).collect()
    good = [[row[name] for name in names] for row in read if row["_malformed"] is None]
    bad = [row["_reason"] for row in read if row["_malformed"] is not None]
    assert sorted(good) == sorted(rows), (bad, text)


@pytest.mark.spark
def test_rows_that_are_quarantined_change_no_other(spark, tmp_path: Path) -> None:
    plain = [["item_id", "title"], *([f"i{number}", f'a "{number}",\nb'] for number in range(50))]
    bad = [b'x,"open\n', b"y,one,two,three\n", b"z,\xff\n", b"lonely\n", b'v,"a" b\n']
    lines = as_csv(plain, ",").encode()
    (tmp_path / "clean.csv").write_bytes(lines)
    head, *rest = [one.text.encode() + b"\n" for one in records_of(lines)]
    between = [part for pair in zip(bad, rest[: len(bad)], strict=True) for part in pair]
    poisoned = b"".join([head, *between, *rest[len(bad) :]])
    (tmp_path / "poisoned.csv").write_bytes(poisoned)
    found = []
    for name in ("clean.csv", "poisoned.csv"):
        frame = read_source(spark, IngestConfig(items=str(tmp_path / name)), "items").frame
        found.append(frame.select("item_id", "title", *INTERNAL[:2]).collect())
    clean, dirty = found
    assert sorted(map(tuple, clean)) == sorted(
        tuple(row) for row in dirty if row["_malformed"] is None
    )
    assert len(dirty) - len(clean) == len(bad)


def records_of(content: bytes) -> list[Record]:
    lines = io.StringIO(content.decode(), newline="")
    return list(join_records(lines, QuotedFields(",", '"'), 2))
