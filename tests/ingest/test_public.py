"""Small files written as the public data sets write theirs, read without any mapping."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import get_args

import pytest

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.sections.ingest import Format, IngestConfig
from llm_i2i_spark.ingest.public import (
    PUBLIC,
    layout_of,
    narrow_folder,
    public_by_columns,
    public_by_file,
)
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
OTTO = {
    "session": 5,
    "events": [
        {"aid": 1517085, "ts": 1659304800025, "type": "clicks"},
        {"aid": 1563459, "ts": 1659304904511, "type": "carts"},
    ],
}
STEAM = (
    "{u'username': u'Chaos', u'hours': 22.4, u'product_id': u'725280', u'date': u'2017-12-17',"
    " u'text': u\"don't\", u'early_access': False}"
)
STEAM_GAME = (
    "{u'publisher': u'Kotoshiro', u'genres': [u'Action', u'Indie'], u'app_name': u'Lost Summoner',"
    " u'title': u'Lost Summoner', u'id': u'761140', u'developer': u'Kotoshiro'}"
)
U_ITEM = (
    "73|Am\u00e9lie (2001)|01-Jan-2001||http://us.imdb.com/M/title-exact?Am%E9lie|0|0|0|0|0|1|0|0|1|0"
    "|0|0|0|0|0|0|0|0|0\n"
)
NEWS = (
    'N55528\tlifestyle\troyals\tThe "Brands" Queen wears, and more\tShop\thttps://x\t[{"L": "P"}]'
    "\t[]\nN19639\thealth\tweightloss\t50 Habits\tThese\thttps://y\t[]\t[]\n"
)


def lines(*parts: object) -> str:
    return "".join((part if isinstance(part, str) else json.dumps(part)) + "\n" for part in parts)


# Published name -> data set, whether it is recognised, its content, and the rows of the contract in
# it: user, item, ts, event, or item, title, brand, category.
LOGS: dict[str, tuple[str, bool, str, list[tuple[object, ...]]]] = {
    "reviews_Beauty_5.json": (
        "amazon2014",
        True,
        lines(REVIEW_2014),
        [("A1", "0001", "2013-05-28T00:00:00", "click")],
    ),
    "ratings_Beauty.csv": (
        "amazon2014",
        False,
        "A1,0001,5.0,1369699200\n",
        [("A1", "0001", "2013-05-28T00:00:00", "click")],
    ),
    "Beauty.csv": (
        "amazon2018",
        False,
        "0001,A1,5.0,1369699200\n",
        [("A1", "0001", "2013-05-28T00:00:00", "click")],
    ),
    "All_Beauty.jsonl": (
        "amazon2023",
        True,
        lines(REVIEW_2023),
        [("B1", "P9", "2020-05-05T14:08:48.923000", "click")],
    ),
    "All_Beauty.csv": (
        "amazon2023",
        True,
        "user_id,parent_asin,rating,timestamp\nB1,P9,4.0,1588687728923\n",
        [("B1", "P9", "2020-05-05T14:08:48.923000", "click")],
    ),
    "u.data": (
        "movielens",
        True,
        "196\t242\t3\t881250949\n186\t302\t3\t891717742\n",
        [
            ("186", "302", "1998-04-04T19:22:22", "click"),
            ("196", "242", "1997-12-04T15:55:49", "click"),
        ],
    ),
    "ratings.dat": (
        "movielens",
        True,
        "1::1193::5::978300760\n",
        [("1", "1193", "2000-12-31T22:12:40", "click")],
    ),
    "ratings.csv": (
        "movielens",
        True,
        "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n",
        [("1", "31", "2009-12-14T02:52:24", "click")],
    ),
    "behaviors.tsv": (
        "mind",
        True,
        "1\tU13740\t11/11/2019 9:05:58 AM\tN55189 N42782\tN55689-1 N35729-0\n"
        "2\tU91836\t11/12/2019 6:11:30 PM\t\tN20678-0\n",
        [("U13740", "N42782", None, "click"), ("U13740", "N55189", None, "click")],
    ),
    "otto-recsys-train.jsonl": (
        "otto",
        True,
        lines(OTTO),
        [
            ("5", "1517085", "2022-07-31T22:00:00.025000", "clicks"),
            ("5", "1563459", "2022-07-31T22:01:44.511000", "carts"),
        ],
    ),
    "events.csv": (
        "retailrocket",
        True,
        "timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n",
        [("257597", "355908", "2015-06-02T05:02:12.117000", "view")],
    ),
    "UserBehavior.csv": (
        "taobao",
        True,
        "1,2268318,2520377,pv,1511544070\n1,2333346,2520771,buy,1511561733\n",
        [
            ("1", "2268318", "2017-11-24T17:21:10", "pv"),
            ("1", "2333346", "2017-11-24T22:15:33", "buy"),
        ],
    ),
    "yoochoose-clicks.dat": (
        "yoochoose",
        True,
        "1,2014-04-07T10:51:09.277Z,214536502,0\n",
        [("1", "214536502", "2014-04-07T10:51:09.277000", "click")],
    ),
    "yoochoose-buys.dat": (
        "yoochoose",
        True,
        "420374,2014-04-06T18:44:58.314Z,214537888,12462,1\n",
        [("420374", "214537888", "2014-04-06T18:44:58.314000", "click")],
    ),
    "steam_new.json": (
        "steam",
        True,
        lines(STEAM),
        [("Chaos", "725280", "2017-12-17T00:00:00", "click")],
    ),
    "goodreads_interactions.csv": (
        "goodreads",
        True,
        "user_id,book_id,is_read,rating,is_reviewed\n0,948,1,5,0\n",
        [("0", "948", None, "click")],
    ),
    "loc-gowalla_totalCheckins.txt": (
        "gowalla",
        True,
        "0\t2010-10-19T23:55:27Z\t30.2359091167\t-97.7951395833\t22847\n",
        [("0", "22847", "2010-10-19T23:55:27", "click")],
    ),
    "ml-100k.inter": (
        "recbole",
        True,
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n196\t242\t3\t881250949\n",
        [("196", "242", "1997-12-04T15:55:49", "click")],
    ),
    "Beauty.txt": (
        "s3rec",
        True,
        "1 1 2\n2 6\n",
        [("1", "1", None, "click"), ("1", "2", None, "click"), ("2", "6", None, "click")],
    ),
}
CATALOGUES: dict[str, tuple[str, bool, bytes, list[tuple[object, ...]]]] = {
    "meta_Beauty.json": (
        "amazon2014",
        True,
        lines(META_2014).encode(),
        [("0001", "Kid's Lamp", "Lumi", "Home > Lamps")],
    ),
    "meta_Home.json": (
        "amazon2018",
        True,
        lines(META_2018).encode(),
        [("0001", "Lamp", "Lumi", "Home > Lamps")],
    ),
    "meta_All_Beauty.jsonl": (
        "amazon2023",
        True,
        lines(META_2023).encode(),
        [("P9", "Lamp", "Lumi", "Home")],
    ),
    "u.item": (
        "movielens",
        True,
        U_ITEM.encode("latin-1"),
        [("73", "Am\u00e9lie (2001)", None, "Comedy, Drama")],
    ),
    "movies.dat": (
        "movielens",
        True,
        '73::Am\u00e9lie, "The" (2001)::Drama|Musical\n'.encode("latin-1"),
        [("73", 'Am\u00e9lie, "The" (2001)', None, "Drama, Musical")],
    ),
    "movies.csv": (
        "movielens",
        True,
        b'movieId,title,genres\n31,"Usual ""Suspects"", The (1995)",Crime|Thriller\n',
        [("31", 'Usual "Suspects", The (1995)', None, "Crime, Thriller")],
    ),
    "news.tsv": (
        "mind",
        True,
        NEWS.encode(),
        [
            ("N19639", "50 Habits", None, "health"),
            ("N55528", 'The "Brands" Queen wears, and more', None, "lifestyle"),
        ],
    ),
    "steam_games.json": (
        "steam",
        True,
        lines(STEAM_GAME).encode(),
        [("761140", "Lost Summoner", "Kotoshiro", "Action > Indie")],
    ),
    "goodreads_books.json": (
        "goodreads",
        True,
        lines({"book_id": "5333265", "title": "W.C. Fields", "publisher": "St. Martin's"}).encode(),
        [("5333265", "W.C. Fields", "St. Martin's", None)],
    ),
    "ml-100k.item": (
        "recbole",
        True,
        b"item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        b"1\tToy Story\t1995\tComedy\n",
        [("1", "Toy Story", None, "Comedy")],
    ),
}


def read_rows(spark, table: str, path: object, form: str = "auto") -> list[tuple[object, ...]]:
    config = IngestConfig.model_validate({table: str(path), "format": form})
    source = read_source(spark, config, table)
    check = check_interactions if table == "interactions" else check_items
    rows = [row.asDict() for row in check(source, config).collect()]
    assert [row["reason"] for row in rows] == [None] * len(rows)
    if table == "items":
        found = [
            tuple(row[name] for name in ("item_id", "title", "brand", "category")) for row in rows
        ]
    else:
        found = [
            (row["user_id"], row["item_id"], row["ts"] and row["ts"].isoformat(), row["event"])
            for row in rows
        ]
    return sorted(found, key=str)


def test_every_data_set_has_a_name_in_the_options_and_a_file_here():
    assert set(PUBLIC) <= set(get_args(Format))
    tried = {(one[0], "interactions") for one in LOGS.values()} | {
        (one[0], "items") for one in CATALOGUES.values()
    }
    assert tried == {(public, table) for public, tables in PUBLIC.items() for table in tables}


def test_the_page_names_the_files_that_are_tried():
    page = (Path(__file__).resolve().parents[2] / "docs" / "forms.md").read_text()
    sets = page.split("## Public data sets")[1].split("\n## ")[0]
    for file, (public, *_) in [*LOGS.items(), *CATALOGUES.items()]:
        if file != "meta_Home.json":  # 2018 has the file names of 2014
            line = next(line for line in sets.splitlines() if line.startswith(f"| `{public}`"))
            assert f"`{file}" in line, file


@pytest.mark.spark
@pytest.mark.parametrize("file", LOGS)
def test_a_published_log_is_read_as_it_is(spark, tmp_path: Path, file: str):
    public, recognised, text, wanted = LOGS[file]
    (tmp_path / file).write_text(text, encoding="utf-8")
    for form in ["auto", public] if recognised else [public]:
        assert read_rows(spark, "interactions", tmp_path / file, form) == wanted


@pytest.mark.spark
@pytest.mark.parametrize("file", CATALOGUES)
def test_a_published_catalogue_is_read_as_it_is(spark, tmp_path: Path, file: str):
    public, recognised, content, wanted = CATALOGUES[file]
    (tmp_path / f"{file}.gz").write_bytes(gzip.compress(content))
    for form in ["auto", public] if recognised else [public]:
        assert read_rows(spark, "items", tmp_path / f"{file}.gz", form) == wanted


def test_data_sets_are_recognised_by_their_columns_and_file_names():
    assert public_by_columns("interactions", ["reviewerID", "asin", "overall"]) == "amazon2018"
    assert public_by_columns("items", ["asin", "title", "categories"]) == "amazon2014"
    assert public_by_columns("items", ["item_id", "asin", "category"]) is None
    assert public_by_columns("items", ["sku"]) is None
    assert public_by_file("interactions", "/data/UserBehavior.csv.gz") == "taobao"
    assert public_by_file("interactions", "clicks.csv") is None
    assert layout_of("taobao", "items", "x.csv") is None


def test_a_folder_of_a_data_set_is_narrowed_to_the_table(tmp_path: Path):
    for name in ("ratings.csv", "movies.csv", "tags.csv"):
        (tmp_path / name).touch()
    folder = str(tmp_path)
    assert narrow_folder(folder, "interactions", None) == str(tmp_path / "ratings.csv")
    assert narrow_folder(folder, "items", None) == str(tmp_path / "movies.csv")
    assert narrow_folder(folder, "interactions", "mind") == folder
    (tmp_path / "movies.csv").unlink()
    assert narrow_folder(folder, "interactions", None) == folder


@pytest.mark.spark
def test_a_file_of_a_known_name_and_another_form_is_read_as_any_other(spark, tmp_path: Path):
    (tmp_path / "UserBehavior.csv").write_text("user_id,item_id,ts\nu,i,1700000000\n")
    assert read_rows(spark, "interactions", tmp_path / "UserBehavior.csv") == [
        ("u", "i", "2023-11-14T22:13:20", "click")
    ]
    config = IngestConfig.model_validate({"items": str(tmp_path), "format": "taobao"})
    with pytest.raises(UserError, match=r"taobao is a log alone; set ingest\.format\.items"):
        read_source(spark, config, "items")
