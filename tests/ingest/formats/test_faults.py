"""Faults of files as users have them: read right, quarantined with a reason, or refused in one
sentence, never garbled or lost in silence.
"""

from __future__ import annotations

import gzip
import json
import shutil
import zipfile
from pathlib import Path

import pytest

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.sections.ingest import IngestConfig
from llm_i2i_spark.ingest.formats.base import Given
from llm_i2i_spark.ingest.formats.files import SAMPLE_BYTES, RawFiles
from llm_i2i_spark.ingest.formats.find_form import find_form
from llm_i2i_spark.ingest.formats.quoting import BROKEN_QUOTE, OPEN_QUOTE
from llm_i2i_spark.ingest.quarantine import check_interactions, check_items
from llm_i2i_spark.ingest.readers import read_source

pytestmark = pytest.mark.spark

CLICKS = "user_id,item_id,ts\nu1,a,1700000000\nu1,b,1700000060\nu2,a,1700000000\n"


def items(spark, path: Path, **settings: object) -> dict[str, tuple[str | None, str | None]]:
    """Title and reason by item id, or by the raw row where there is none."""
    config = IngestConfig.model_validate({"items": str(path), **settings})
    rows = check_items(read_source(spark, config, "items"), config).collect()
    return {
        row["item_id"] if row["reason"] is None else row["raw"]: (row["title"], row["reason"])
        for row in rows
    }


def clicks(spark, path: object, **settings: object) -> list[tuple[str, str, str | None]]:
    config = IngestConfig.model_validate({"interactions": str(path), **settings})
    rows = check_interactions(read_source(spark, config, "interactions"), config).collect()
    return sorted((row["user_id"], row["item_id"], row["reason"]) for row in rows)


# The cases of the issue, as they were reported.


def test_a_headerless_log_is_noticed_and_read_with_names(spark, tmp_path: Path):
    log = tmp_path / "clicks.csv"
    log.write_text("1,501,77,pv,1511544070\n1,502,77,buy,1511561733\n2,501,77,pv,1511572885\n")
    with pytest.raises(UserError, match="looks like data") as caught:
        clicks(spark, log)
    assert "(1, 501, 77, pv, 1511544070)" in str(caught.value)
    assert "--set ingest.header.interactions=user_id,item_id,x3,x4,ts" in str(caught.value)
    assert "ingest.format=taobao" in str(caught.value)
    names = {"interactions": "user_id,item_id,category,event,ts"}
    assert clicks(spark, log, header=names) == [
        ("1", "501", None),
        ("1", "502", None),
        ("2", "501", None),
    ]
    with pytest.raises(UserError, match=r"has 2 names and the first line of .* has 5 fields"):
        clicks(spark, log, header="user_id,item_id")
    with pytest.raises(UserError, match="has a name twice"):
        clicks(spark, log, header="user_id,item_id,x,x,ts")
    log.write_text("anna,red\nanna,blue\nbert,red\n")
    with pytest.raises(UserError, match=r"looks like data \(anna, red\)"):
        clicks(spark, log)
    assert len(clicks(spark, log, header="user_id,item_id")) == 3
    log.write_text(CLICKS)
    with pytest.raises(UserError, match="is for files without names"):
        clicks(spark, log, header="user_id,item_id,ts")


def test_a_separator_at_the_end_of_rows_shifts_nothing(spark, tmp_path: Path):
    (tmp_path / "clicks.csv").write_text("user_id,item_id,ts\nu,a,1700000000,\nu,b,1700000060,\n")
    assert clicks(spark, tmp_path / "clicks.csv") == [("u", "a", None), ("u", "b", None)]
    (tmp_path / "longer.csv").write_text("user_id,item_id\nu,a,1\nu,b,2\n")
    assert {reason for *_, reason in clicks(spark, tmp_path / "longer.csv")} == {
        "line is malformed"
    }


def test_two_objects_on_a_line_are_both_read_or_both_seen(spark, tmp_path: Path):
    one, two = '{"user_id": "u", "item_id": "a}{"}', '{"user_id": "v", "item_id": "b"}'
    (tmp_path / "clicks.json").write_text(f"{one}\n{one}{two}\n")
    assert users(spark, tmp_path / "clicks.json") == {("u", None), ("v", None)}
    (tmp_path / "late.json").write_text(f"{one}\n" * 30 + f"{one}{two}\n")
    assert users(spark, tmp_path / "late.json") == {("u", None), (None, "line is malformed")}


def test_a_nul_makes_no_file_binary(spark, tmp_path: Path):
    rows = "".join(f"u{number},a,1700000000\n" for number in range(30))
    (tmp_path / "clicks.csv").write_text(f"user_id,item_id,ts\nu\0x,a,1700000000\n{rows}")
    assert ("u\0x", None) in users(spark, tmp_path / "clicks.csv")
    (tmp_path / "clicks.tsv").write_text("user_id\titem_id\n\0u\0\ta" + "\nu\tb" * 200)
    assert ("\0u\0", None) in users(spark, tmp_path / "clicks.tsv")
    (tmp_path / "wide.csv").write_bytes("user_id,item_id\nü,a\n".encode("utf-16-le"))
    with pytest.raises(UserError, match="utf-16-le"):
        users(spark, tmp_path / "wide.csv")
    assert users(spark, tmp_path / "wide.csv", encoding="utf-16-le") == {("ü", None)}


def test_a_row_that_is_short_makes_no_list_of_items(spark, tmp_path: Path):
    (tmp_path / "clicks.txt").write_text("user_id item_id ts\nu a 1700000000\nu b\n")
    assert users(spark, tmp_path / "clicks.txt") == {("u", None), ("u", "line is malformed")}


def test_an_array_of_json_is_read(spark, tmp_path: Path):
    log = tmp_path / "clicks.json"
    log.write_text(
        '[{"user_id":"u1","item_id":"a","ts":1700000000},{"user_id":"u1","item_id":"b","ts":1700000060}]\n'
    )
    assert clicks(spark, log) == [("u1", "a", None), ("u1", "b", None)]


def test_a_newline_in_quotes_is_part_of_the_title(spark, tmp_path: Path):
    rest = "".join(f"{name},{name.upper()},X\n" for name in "defghijk")
    (tmp_path / "items.csv").write_text(
        f'item_id,title,brand\na,"Blue cup\nfor tea",X\nb,Red cup,X\nc,Tray,X\n{rest}'
    )
    found = items(spark, tmp_path / "items.csv")
    assert found["a"] == ("Blue cup\nfor tea", None)
    assert len(found) == 11
    (tmp_path / "last.csv").write_text('item_id,title\na,"Blue cup\r\nfor tea"\nb,Red\n')
    assert items(spark, tmp_path / "last.csv") == {
        "a": ("Blue cup\r\nfor tea", None),
        "b": ("Red", None),
    }


def test_latin_1_and_gbk_are_asked_for_and_read(spark, tmp_path: Path):
    path = tmp_path / "items.csv"
    path.write_bytes("item_id,title\na,Café\nb,Señor\nc,Ça\n".encode("latin-1"))
    with pytest.raises(
        UserError,
        match=r"is not UTF-8 \(3 of 5 lines, as line 2.*--set ingest\.encoding\.items=latin-1",
    ):
        items(spark, path)
    assert items(spark, path, encoding={"items": "latin-1"})["a"] == ("Café", None)
    path.write_bytes("item_id,title\na,茶杯\n".encode("gbk"))
    assert items(spark, path, encoding="gbk") == {"a": ("茶杯", None)}
    with pytest.raises(UserError, match="which is no text encoding"):
        items(spark, path, encoding="latin-zero")


def test_the_index_column_of_pandas_is_one_more_column(spark, tmp_path: Path):
    (tmp_path / "clicks.csv").write_text(
        ",user_id,item_id,ts\n0,u1,a,1700000000\n1,u1,b,1700000060\n2,u2,a,1700000000\n"
    )
    assert clicks(spark, tmp_path / "clicks.csv") == [
        ("u1", "a", None),
        ("u1", "b", None),
        ("u2", "a", None),
    ]


def test_commas_in_the_lines_of_a_tsv_do_not_split_them(spark, tmp_path: Path):
    path = tmp_path / "items.tsv"
    path.write_text(
        "N1\tnews\tpolitics\tMany words, with commas, and more, in a text, as news has\n"
        "N2\tsport\tball\tOther words\n"
    )
    with pytest.raises(UserError, match=r"N1, news, .*no names but data, .*ingest\.header\.items="):
        items(spark, path)
    found = items(spark, path, header={"items": "item_id,category,subcategory,title"})
    assert found == {
        "N1": ("Many words, with commas, and more, in a text, as news has", None),
        "N2": ("Other words", None),
    }


def test_a_glob_is_read_by_the_ending_of_its_files(spark, tmp_path: Path):
    (tmp_path / "days").mkdir()
    (tmp_path / "days" / "day1.csv").write_text(CLICKS)
    assert len(clicks(spark, tmp_path / "days" / "*.csv")) == 3
    (tmp_path / "days" / "day2.csv").write_text("user_id,item_id,ts\nu3,c,1700000000\n")
    assert len(clicks(spark, tmp_path / "days" / "*.csv")) == 4
    with pytest.raises(UserError, match="There is nothing at"):
        clicks(spark, tmp_path / "nights" / "*.csv")


# Their kinds.


def test_bytes_that_turn_up_behind_the_sample_are_quarantined(spark, tmp_path: Path):
    plain = "".join(f"i{number},{'x' * 1000}\n" for number in range(SAMPLE_BYTES // 1000 + 1))
    head = f"item_id,title\n{plain}".encode()
    (tmp_path / "items.csv").write_bytes(head + b"late,D\xe9j\xe0\n")
    found = items(spark, tmp_path / "items.csv")
    (bad,) = {raw: reason for raw, (_, reason) in found.items() if reason}.items()
    assert bad == ('{"line":"late,D\ufffdj\ufffd"}', "bytes are not UTF-8")
    # The same for an encoding that Python decodes, where a lone byte is none of it.
    (tmp_path / "gbk.csv").write_bytes("item_id,title\na,茶杯\n".encode("gbk") + b"b,\xff\n")
    found = items(spark, tmp_path / "gbk.csv", encoding="gbk")
    assert found['{"line":"b,\ufffd"}'] == (None, "bytes are not GBK")
    # And a replacement character that the file itself has is no fault.
    (tmp_path / "own.csv").write_text("item_id,title\na,\ufffd\n", encoding="utf-8")
    assert items(spark, tmp_path / "own.csv") == {"a": ("\ufffd", None)}


def test_newlines_and_backslashes_in_quotes_behind_the_sample_are_read(spark, tmp_path: Path):
    plain = "".join(f"i{number},{'x' * 1000}\n" for number in range(SAMPLE_BYTES // 1000 + 1))
    (tmp_path / "items.csv").write_text(
        f'item_id,title\n{plain}late,"two\nlines"\nlast,"a ""b"""\n'
    )
    found = items(spark, tmp_path / "items.csv")
    assert (found["late"], found["last"]) == (("two\nlines", None), ('a "b"', None))
    (tmp_path / "escaped.csv").write_text(f'item_id,title\n{plain}late,"5\\" cup, small"\n')
    assert items(spark, tmp_path / "escaped.csv")["late"] == ('5" cup, small', None)


def test_a_quote_that_is_never_closed_costs_its_own_line(spark, tmp_path: Path):
    rows = "".join(f"i{number},t,b\n" for number in range(50))
    (tmp_path / "items.csv").write_text(
        f'item_id,title,brand\nx,"5 inch,b\n{rows}y,"a\nb",b\nz,"q" r,b\n'
    )
    found = items(spark, tmp_path / "items.csv")
    assert found["y"] == ("a\nb", None)
    assert len([1 for title, reason in found.values() if reason is None]) == 51
    assert {raw: reason for raw, (_, reason) in found.items() if reason} == {
        '{"line":"x,\\"5 inch,b"}': OPEN_QUOTE,
        '{"line":"z,\\"q\\" r,b"}': BROKEN_QUOTE,
    }


def test_quotes_between_tabs_are_text(spark, tmp_path: Path):
    (tmp_path / "items.tsv").write_text('item_id\ttitle\na\t5" cup\nb\t"Great" cups\nc\t"Whole"\n')
    assert items(spark, tmp_path / "items.tsv") == {
        "a": ('5" cup', None),
        "b": ('"Great" cups', None),
        "c": ('"Whole"', None),
    }


def users(spark, path: Path, **settings: object) -> set[tuple[str | None, str | None]]:
    config = IngestConfig.model_validate({"interactions": str(path), **settings})
    rows = check_interactions(read_source(spark, config, "interactions"), config).collect()
    return {(row["user_id"], row["reason"]) for row in rows}


def test_an_array_that_breaks_off_shows_what_it_swallowed(spark, tmp_path: Path):
    good = '{"user_id": "u", "item_id": "a"}'
    (tmp_path / "clicks.json").write_text(f'[{good}, {{"user_id": "v", {good}, {good}, {good}]')
    assert users(spark, tmp_path / "clicks.json") == {
        ("u", None),
        (None, "JSON ends inside a value"),
    }
    (tmp_path / "junk.json").write_text(f"[{good}, nonsense, {good}]")
    assert users(spark, tmp_path / "junk.json") == {("u", None), (None, "line is malformed")}


def test_what_cannot_be_right_is_refused_in_one_sentence(spark, tmp_path: Path):
    def refused(words: str, **settings: object) -> None:
        with pytest.raises(UserError, match=words) as caught:
            clicks(spark, settings.pop("path", tmp_path / "x"), **settings)
        assert "\n" not in str(caught.value)

    (tmp_path / "_clicks.csv").write_text(CLICKS)
    refused("passes over names that begin with _", path=tmp_path / "_clicks.csv")
    folder = tmp_path / "folder"
    folder.mkdir()
    refused("holds no data files", path=folder)
    (folder / "_clicks.csv").write_text(CLICKS)
    refused("rename it to clicks.csv", path=folder)
    (folder / "empty.csv").write_text("\n")
    refused("is empty", path=folder)
    (folder / "a.csv").write_text(CLICKS)
    (folder / "b.csv").write_text("ts,user_id,item_id\n1700000000,u9,z\n")
    refused(r"have different columns: user_id, item_id, ts .* ts, user_id, item_id in", path=folder)
    (folder / "b.csv").unlink()
    (folder / "c.parquet").write_bytes(b"PAR1")
    refused("files of several formats", path=folder)
    (tmp_path / "clicks.xlsx").write_bytes(b"PK\x03\x04")
    refused("save it as Parquet or CSV", path=tmp_path / "clicks.xlsx")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", CLICKS)
        archive.writestr("b.csv", CLICKS)
    refused(r"holds several files \(a\.csv, b\.csv\)", path=tmp_path / "two.zip")
    (tmp_path / "torn.csv.gz").write_bytes(gzip.compress(CLICKS.encode() * 100)[:60])
    refused("cannot be unpacked", path=tmp_path / "torn.csv.gz")
    (tmp_path / "clicks.bin").write_bytes(bytes(range(128)))
    refused("is not text", path=tmp_path / "clicks.bin")
    (tmp_path / "x.avro").write_bytes(b"Obj\x01")
    refused("spark-avro", path=tmp_path / "x.avro")
    spark.range(1).write.format("delta").save(str(tmp_path / "delta"))
    (log,) = (tmp_path / "delta" / "_delta_log").glob("*.json")
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7}
    features = {"readerFeatures": ["telepathy"], "writerFeatures": ["telepathy"]}
    actions = [{"protocol": protocol | features} if "protocol" in one else one for one in actions]
    log.write_text("".join(json.dumps(one) + "\n" for one in actions))
    (log.parent / f".{log.name}.crc").unlink()
    for checksum in log.parent.glob("*.crc"):
        checksum.unlink()
    shutil.copytree(tmp_path / "delta", tmp_path / "newer")
    refused(
        r"Delta table with features \(telepathy\) that this Delta cannot", path=tmp_path / "newer"
    )
    by_id = {f"item {number}": {"title": "x"} for number in range(2001)}
    (tmp_path / "by_id.json").write_text(json.dumps(by_id))
    refused("JSON with 2,001 fields", path=tmp_path / "by_id.json")
    (tmp_path / "log.csv").write_text(CLICKS)
    refused("is not a column of", path=tmp_path / "log.csv", explode="events")


def test_names_that_spark_takes_for_patterns_are_names(spark, tmp_path: Path):
    for name in ("my clicks #2 [1]{a}.csv", "10:30.csv", "50%25 é.csv"):
        (tmp_path / name).write_text(CLICKS)
        assert len(clicks(spark, tmp_path / name)) == 3


def test_a_folder_as_time(spark, tmp_path: Path):
    for day, item in (("2024-01-01", "a"), ("2024-01-02", "b")):
        place = tmp_path / "log" / f"ts={day}"
        place.mkdir(parents=True)
        (place / "part.csv").write_text(f"user_id,item_id\nu,{item}\n")
    for path in ("log", "log/ts=*", "log/*/part.csv"):
        config = IngestConfig(interactions=str(tmp_path / path))
        rows = check_interactions(read_source(spark, config, "interactions"), config).collect()
        assert sorted((row["item_id"], str(row["ts"])) for row in rows) == [
            ("a", "2024-01-01 00:00:00"),
            ("b", "2024-01-02 00:00:00"),
        ]


def test_what_only_spark_can_open_is_sniffed_and_read_by_spark(spark, tmp_path: Path):
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "a.csv").write_text(CLICKS)
    (folder / "b.csv").write_text(CLICKS)
    given = Given("interactions", known_names=frozenset({"user_id", "item_id", "ts"}))
    remote = RawFiles("s3://bucket/log", (str(folder),))
    assert find_form(spark, remote, given).read(spark, remote, None).count() == 6
    (folder / "b.csv").write_text("item_id,user_id,ts\na,u,1\n")
    with pytest.raises(UserError, match="different columns"):
        find_form(spark, remote, given).read(spark, remote, None)
    parquet = RawFiles("s3://bucket/table", (str(tmp_path / "table"),))
    spark.range(3).write.parquet(str(tmp_path / "table"))
    assert find_form(spark, parquet, given).read(spark, parquet, None).count() == 3
    (tmp_path / "x.csv").write_text(CLICKS, encoding="utf-16")
    wide = RawFiles("s3://bucket/x.csv", (str(tmp_path / "x.csv"),))
    with pytest.raises(UserError, match="has utf-16, which is read from local files only"):
        find_form(spark, wide, given).read(spark, wide, None)
    with pytest.raises(UserError, match="packed as Spark cannot unpack it"):
        find_form(spark, RawFiles("s3://bucket/x.csv.zst", ()), given)
