"""Small files written as the public data sets write theirs, read without any mapping."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from llm_i2i_spark.base.sections.ingest import IngestConfig
from llm_i2i_spark.ingest.public_formats import detect_public, line_fields, literals_to_json
from llm_i2i_spark.ingest.quarantine import check_interactions, check_items
from llm_i2i_spark.ingest.readers import read_source

REVIEW_2014 = {
    "reviewerID": "A1",
    "asin": "0001",
    "overall": 5.0,
    "unixReviewTime": 1369699200,
    "reviewText": 'it\'s "fine"',
}
REVIEW_2023 = {
    "user_id": "B1",
    "parent_asin": "P9",
    "asin": "X9",
    "timestamp": 1588687728923,
    "rating": 4.0,
}
META_2014 = (
    "{'asin': '0001', 'title': \"Kid's Lamp\", 'brand': u'Lumi', 'categories': [['Home', 'Lamps'],"
    " ['Kids']], 'price': 9.5, 'new': True}"
)
META_2018 = {
    "asin": "0001",
    "title": "Lamp",
    "brand": "Lumi",
    "category": ["Home", "Lamps"],
    "main_cat": "Home",
}
META_2023 = {
    "parent_asin": "P9",
    "title": "Lamp",
    "store": "Lumi",
    "categories": [],
    "main_category": "Home",
    "price": None,
}


def write_lines(path: Path, *lines: object) -> str:
    path.write_text(
        "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines),
        encoding="utf-8",
    )
    return str(path)


def read_rows(spark, table, path, form="auto"):
    config = IngestConfig(**{table: path, "format": form})
    source = read_source(spark, config, table)
    return [
        row.asDict()
        for row in (check_interactions if table == "interactions" else check_items)(
            source, config
        ).collect()
    ]


def test_data_sets_are_recognised_by_their_columns():
    assert detect_public("interactions", ["reviewerID", "asin", "overall"]) == "amazon2018"
    assert detect_public("items", ["asin", "title", "categories"]) == "amazon2014"
    assert detect_public("items", ["item_id", "asin", "category"]) is None
    assert detect_public("items", ["sku"]) is None


def test_python_literals_become_json_and_hostile_lines_stay_as_they_are():
    hostile = ["__import__('os').system('true')", "(" * 500, "{'a': open('x')}", "[1]"]
    batch = pa.RecordBatch.from_arrays([pa.array([META_2014, *hostile])], names=["value"])
    lines = next(literals_to_json([batch])).column(0).to_pylist()
    assert json.loads(lines[0])["title"] == "Kid's Lamp"
    assert json.loads(lines[0])["new"] is True
    assert lines[1:] == hostile
    assert line_fields([META_2014]) == (
        {"asin", "title", "brand", "categories", "price", "new"},
        True,
    )
    assert line_fields([json.dumps(REVIEW_2023)]) == (set(REVIEW_2023), False)


@pytest.mark.spark
@pytest.mark.parametrize("form", ["auto", "amazon2014"])
def test_amazon_2014(spark, tmp_path: Path, form):
    reviews = write_lines(tmp_path / "reviews.json", REVIEW_2014, '{"reviewerID": "A2", "asin"')
    good, bad = read_rows(spark, "interactions", reviews, form)
    assert (good["user_id"], good["item_id"], good["ts"].isoformat()) == (
        "A1",
        "0001",
        "2013-05-28T00:00:00",
    )
    assert bad["reason"] == "line is malformed"
    assert json.loads(bad["raw"]) == {"line": '{"reviewerID": "A2", "asin"'}
    meta = write_lines(tmp_path / "meta.json", META_2014)
    (item,) = read_rows(spark, "items", meta, form)
    assert (item["title"], item["brand"], item["category"]) == (
        "Kid's Lamp",
        "Lumi",
        "Home > Lamps",
    )
    assert item["extra"] == {"price": "9.5"}


@pytest.mark.spark
def test_amazon_2018_catalogue_and_headerless_ratings(spark, tmp_path: Path):
    (item,) = read_rows(spark, "items", write_lines(tmp_path / "meta.json", META_2018))
    assert (item["item_id"], item["brand"], item["category"]) == ("0001", "Lumi", "Home > Lamps")
    (row,) = read_rows(
        spark,
        "interactions",
        write_lines(tmp_path / "Beauty.csv", "0001,A1,5.0,1369699200"),
        "amazon2018",
    )
    assert (row["user_id"], row["item_id"], row["ts"].year) == ("A1", "0001", 2013)


@pytest.mark.spark
def test_amazon_2023(spark, tmp_path: Path):
    (row,) = read_rows(spark, "interactions", write_lines(tmp_path / "Beauty.jsonl", REVIEW_2023))
    assert (row["user_id"], row["item_id"], row["ts"].isoformat()) == (
        "B1",
        "P9",
        "2020-05-05T14:08:48.923000",
    )
    (item,) = read_rows(spark, "items", write_lines(tmp_path / "meta.jsonl", META_2023))
    assert (item["item_id"], item["brand"], item["category"]) == ("P9", "Lumi", "Home")


@pytest.mark.spark
def test_movielens_csv_and_double_colons(spark, tmp_path: Path):
    write_lines(tmp_path / "ratings.csv", "userId,movieId,rating,timestamp", "1,31,2.5,1260759144")
    write_lines(
        tmp_path / "movies.csv",
        "movieId,title,genres",
        '31,"Usual ""Suspects"", The (1995)",Crime|Thriller',
    )
    (row,) = read_rows(spark, "interactions", str(tmp_path))
    assert (row["user_id"], row["item_id"], row["ts"].isoformat()) == (
        "1",
        "31",
        "2009-12-14T02:52:24",
    )
    (item,) = read_rows(spark, "items", str(tmp_path))
    assert (item["title"], item["category"]) == ('Usual "Suspects", The (1995)', "Crime, Thriller")
    (tmp_path / "movies.dat").write_bytes(
        '73::Am\u00e9lie, "The" (2001)::Drama|Musical\n'.encode("latin-1")
    )
    (item,) = read_rows(spark, "items", str(tmp_path / "movies.dat"))
    assert (item["item_id"], item["title"], item["category"]) == (
        "73",
        'Amélie, "The" (2001)',
        "Drama, Musical",
    )
    (row,) = read_rows(
        spark, "interactions", write_lines(tmp_path / "ratings.dat", "1::1193::5::978300760")
    )
    assert (row["user_id"], row["item_id"], row["ts"].year) == ("1", "1193", 2000)
