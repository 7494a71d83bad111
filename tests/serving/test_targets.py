"""What is particular to a kind of target: forms that are refused, passwords, prefixes, tables."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from llm_i2i_spark.base.errors import ConfigError, MissingDependencyError, UserError
from llm_i2i_spark.serving.publish import check, exporter_for, live, publish
from llm_i2i_spark.serving.redis import redis_neighbors
from tests.serving.indexes import table_rows, write_lake

LISTS = {"10": [("x", 0.5, 0.0)], "9": [("é", 1 / 3, 1.0), ("y", 0.25, None)], "a": []}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return write_lake(tmp_path_factory.mktemp("lake"), table_rows(LISTS))


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("memcached://host", r"no store for 'memcached://host'; a target looks like redis://"),
        ("index", r"no store for 'index'; .*index\.parquet, index\.jsonl\."),
        ("redis:///0", r"A Redis target looks like redis://host:6379/0\?prefix=i2i"),
        ("redis://host/0?prefix=", r"A Redis target looks like"),
        ("jdbc:oracle:thin:@host", r"A database target looks like .*of postgresql, sqlite"),
        ("jdbc:sqlite:a.db?table=x; DROP TABLE y", r"A database target looks like"),
        ("s3://bucket/index.parquet", r"local or mounted folder, and s3://bucket"),
    ],
)
def test_a_target_of_another_form_is_refused_with_one_that_fits(target, sentence):
    with pytest.raises(ConfigError, match=sentence):
        exporter_for(target)


@pytest.mark.parametrize(
    "target",
    [
        "redis://me:hunter2@127.0.0.1:1/0",
        pytest.param(
            "jdbc:postgresql://127.0.0.1:1/db?user=me&password=hunter2", marks=pytest.mark.spark
        ),
    ],
)
def test_no_message_shows_a_password(target, request):
    if target.startswith("jdbc"):
        request.getfixturevalue("jdbc_drivers")
    with pytest.raises(UserError) as said:
        check(target)
    assert "127.0.0.1:1" in str(said.value)
    assert "hunter2" not in str(said.value)


@pytest.mark.parametrize("ending", [".parquet", ".jsonl", ""])
def test_a_folder_is_no_file_and_stays_as_it_is(tmp_path, lake, ending):
    folder = tmp_path / f"folder{ending}"
    folder.mkdir()
    with pytest.raises(ConfigError, match="is a folder; name a file in it"):
        publish(lake, folder)
    assert list(tmp_path.iterdir()) == [folder]


def test_a_file_in_folders_that_are_missing_is_written(tmp_path, lake):
    target = tmp_path / "a b" / "é" / "in:dex.parquet"
    assert publish(lake, target).rows == 3
    assert pq.read_metadata(target).num_rows == 3


def test_a_prefix_of_redis_is_its_own(redis_port, lake):
    import redis

    targets = {
        prefix: f"redis://127.0.0.1:{redis_port}/1?prefix={prefix}" for prefix in ("a", "a:b", "*")
    }
    records = {prefix: publish(lake, target) for prefix, target in targets.items()}
    for _ in range(2):
        records["*"] = publish(lake, targets["*"])
        records["a"] = publish(lake, targets["a"])
    for prefix, target in targets.items():
        assert live(target) == records[prefix]
        for client in (
            redis.Redis(port=redis_port, db=1),
            redis.Redis(port=redis_port, db=1, decode_responses=True),
        ):
            found = redis_neighbors(client, prefix, "9")
            assert found == [
                {"item_id": "é", "score": 1 / 3, "rank": 1},
                {"item_id": "y", "score": 0.25, "rank": 2},
            ]


def test_redis_holds_what_its_documentation_says(redis_port, lake):
    import redis

    record = publish(lake, f"redis://127.0.0.1:{redis_port}/2")
    client = redis.Redis(port=redis_port, db=2, decode_responses=True)
    assert client.get("i2i:current") == record.generation
    assert json.loads(client.hget("i2i:generations", record.generation)) == record.to_dict()
    assert json.loads(client.get(f"i2i:{record.generation}:10")) == {
        "items": ["x"],
        "scores": [0.5],
    }
    assert len(client.keys()) == 4  # an item without neighbours has no key


@pytest.mark.spark
def test_a_database_without_its_driver_or_spark_is_said(spark, monkeypatch, tmp_path):
    from llm_i2i_spark.serving import jdbc

    target = f"jdbc:sqlite:{tmp_path / 'shop.db'}"
    absent = jdbc.Dialect("org.sqlite.Absent", "org.xerial:sqlite-jdbc:1", 1, "CREATE VIEW")
    monkeypatch.setitem(jdbc.DIALECTS, "sqlite", absent)
    with pytest.raises(MissingDependencyError, match=r"no JDBC driver org\.sqlite\.Absent: name"):
        check(target)
    monkeypatch.setattr("pyspark.sql.SparkSession.getActiveSession", lambda: None)
    with pytest.raises(
        MissingDependencyError, match="goes through Spark, and no session is active"
    ):
        check(target)


def test_a_parquet_file_has_a_row_a_neighbour_by_item_and_rank(lake, tmp_path):
    path = tmp_path / "new" / "index.parquet"
    publish(lake, path)
    table = pq.read_table(path)
    assert table.schema.names == ["item_id", "rank", "neighbor_id", "score"]
    assert list(zip(*(column.to_pylist() for column in table.columns), strict=True)) == [
        ("9", 1, "é", 1 / 3),
        ("9", 2, "y", 0.25),
        ("10", 1, "x", 0.5),
    ]
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "_index.parquet.manifest.json",
        "_serving",
        "index.parquet",
    ]


def test_a_json_line_is_an_item(lake, tmp_path):
    path = tmp_path / "index.jsonl"
    publish(lake, path)
    assert [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] == [
        {
            "item_id": "9",
            "neighbors": [
                {"item_id": "é", "score": 1 / 3, "rank": 1},
                {"item_id": "y", "score": 0.25, "rank": 2},
            ],
        },
        {"item_id": "10", "neighbors": [{"item_id": "x", "score": 0.5, "rank": 1}]},
    ]


def test_a_file_that_somebody_else_made_is_replaced_and_not_kept(lake, tmp_path):
    path = tmp_path / "index.jsonl"
    path.write_text("mine")
    assert live(path) is None
    record = publish(lake, path)
    assert record.previous is None
    assert live(path) == record
    path.write_text("mine again")
    assert live(path) is None
