"""A first look says what files are taken for, and what it prints makes it so."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from llm_i2i_spark import inspect_source
from llm_i2i_spark.cli.main import main
from llm_i2i_spark.cli.parser import build_parser
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.ingest.quarantine import check_interactions, check_items
from llm_i2i_spark.ingest.readers import read_source

pytestmark = pytest.mark.spark


def typed(lines: list[str]) -> list[str]:
    """The words of the command that a page ends with."""
    start = next(n for n, line in enumerate(lines) if line.startswith("  llm-i2i "))
    return shlex.split("\n".join(lines[start:]).replace("\\\n", " "))[1:]


def test_a_log_and_its_catalogue(spark, tmp_path: Path, capsys):
    (tmp_path / "my clicks.tsv").write_text(
        "customer\tsku\tts\tevent\n007\ta\t1700000000\tview\n007\tb\t1700000060\tcart\n"
        "8\tnone\t1700000120\tview\n8\ta\tnever\tview\nlonely\n"
    )
    (tmp_path / "items.csv").write_bytes("item_id;title\na;Café\nb;Señor\n".encode("latin-1"))
    settings = {
        "ingest.columns.user_id": "customer",
        "ingest.columns.item_id": "sku",
        "ingest.columns.items_item_id": "item_id",
        "ingest.encoding.items": "latin-1",
        "ingest.max_quarantine_share": 0.5,
    }
    found = inspect_source(tmp_path / "my clicks.tsv", tmp_path / "items.csv", settings)
    log, catalogue = found.tables
    assert (log.rows, log.counts) == (5, {"user_id": 2, "item_id": 3})
    assert log.reasons == {"ts is not a time": 1, "line is malformed": 1}
    assert log.events == {"view": 2, "cart": 1}
    assert (log.first, log.last) == ("2023-11-14 22:13:20", "2023-11-14 22:15:20")
    assert log.raw["customer"] == ("007", "8")
    assert catalogue.example == {"item_id": "a", "title": "Café"}
    assert found.joined == (2, 3)
    assert found.problems == ()
    page = str(found)
    for words in ("the name ends in .tsv", "read as user_id", "66.7%", "2 of 3 clicks", "LATIN-1"):
        assert words.lower() in page.lower(), words
    words = typed(found.lines())
    options = build_parser().parse_args(words)
    assert words[:3] == ["run", "--variants", "real"]
    config = load_config([], [one for one in options.set if not one.startswith("lake.")]).ingest
    assert (config.format.interactions, config.separator.items) == ("csv", ";")
    for table, check, rows in (
        ("interactions", check_interactions, 5),
        ("items", check_items, 2),
    ):
        assert check(read_source(spark, config, table), config).count() == rows


def test_a_public_data_set_is_named(spark, tmp_path: Path):
    (tmp_path / "behaviors.tsv").write_text("1\tU1\t11/11/2019 9:05:58 AM\tN1 N2\tN3-1\n")
    (tmp_path / "news.tsv").write_text("N1\tnews\tus\tTitle\tAbstract\thttps://x\t[]\t[]\n")
    found = inspect_source(tmp_path)
    assert [report.table for report in found.tables] == ["interactions", "items"]
    assert found.joined == (1, 2)
    assert found.options["ingest.format.interactions"] == "mind"
    assert "ingest.header.interactions" not in found.options


def test_what_cannot_be_read_is_told_with_a_proposal(spark, tmp_path: Path, capsys, monkeypatch):
    log = tmp_path / "clicks.csv"
    log.write_text("1,501,77,pv,1511544070\n1,502,77,buy,1511561733\n2,501,77,pv,1511572885\n")
    assert main(["inspect", str(log), "--json"]) == 2
    shown = capsys.readouterr()
    assert "looks like data" in shown.err
    (report,) = json.loads(shown.out)["tables"]
    assert report["raw"] == {
        "user_id": ["1", "2"],
        "item_id": ["501", "502"],
        "x3": ["77"],
        "x4": ["pv", "buy"],
        "ts": ["1511544070", "1511561733", "1511572885"],
    }
    assert main(["inspect", str(log)]) == 2
    words = typed(capsys.readouterr().out.splitlines())
    assert words[0] == "inspect"
    assert main(words) == 0
    page = capsys.readouterr().out
    assert "llm-i2i run" in page
    assert "ingest.header.interactions=user_id,item_id,x3,x4,ts" in page
    monkeypatch.chdir(tmp_path)
    assert main(["inspect"]) == 2
    assert main(["inspect", "a", "b", "c"]) == 2
    assert "quote a pattern" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["clicks.csv"]


def test_times_are_utc_whatever_zone_the_session_is_in(spark, tmp_path):
    log = tmp_path / "clicks.csv"
    log.write_text("user_id,item_id,ts\nu1,a,2024-01-01 00:00:00\nu1,b,2024-01-01 00:00:01\n")
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        (report,) = inspect_source(log).tables
        assert spark.conf.get("spark.sql.session.timeZone") == "America/New_York"
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    assert (report.first, report.last) == ("2024-01-01 00:00:00", "2024-01-01 00:00:01")
