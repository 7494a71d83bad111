"""What every store keeps to: all rows and ids byte for byte, one switch, what was served until
then, and a way back.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from itertools import count

import pytest

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import StageError, UserError
from llm_i2i_spark.lake.tables import contract_schema
from llm_i2i_spark.serving import index_arrays
from llm_i2i_spark.serving.array_cache import load_arrays
from llm_i2i_spark.serving.index_arrays import IndexArrays
from llm_i2i_spark.serving.index_reader import find_index
from llm_i2i_spark.serving.publish import EXPORTERS, exporter_for, live, publish, rollback
from tests.serving import stores
from tests.serving.indexes import AWKWARD_IDS, random_lists, table_rows, write_lake

SPARK = pytest.mark.spark
KINDS = [
    "parquet",
    "json",
    "redis",
    pytest.param("sqlite", marks=SPARK),
    pytest.param("postgresql", marks=SPARK),
]
numbers = count()


@pytest.fixture(params=KINDS)
def store(request, tmp_path):
    """A store of each kind, empty."""
    if request.param in ("parquet", "json"):
        return getattr(stores, f"{request.param}_store")(tmp_path)
    name = f"shop_{next(numbers)}"
    if request.param == "redis":
        return stores.redis_store(request.getfixturevalue("redis_port"), name)
    request.getfixturevalue("jdbc_drivers")
    if request.param == "sqlite":
        return stores.sqlite_store(tmp_path)
    return stores.postgresql_store(request.getfixturevalue("postgresql_port"), name)


@pytest.fixture(scope="module")
def lakes(tmp_path_factory):
    """Two lakes with other lists for the same items, and one without any neighbour."""
    folder = tmp_path_factory.mktemp("lakes")
    return {
        "old": write_lake(folder / "old", table_rows(random_lists(40, 7, seed=1))),
        "new": write_lake(folder / "new", table_rows(random_lists(40, 7, seed=2))),
        "empty": write_lake(folder / "empty", table_rows({"a": [], "b": []})),
    }


def rows_of(lake):
    """(neighbour, score, rank) by item, as the lake has them."""
    rows = [row for batch in load_arrays(find_index(lake)).batches() for row in batch.to_pylist()]
    return {
        row["item_id"]: [
            {name: entry[name] for name in ("item_id", "score", "rank")}
            for entry in row["neighbors"]
        ]
        for row in rows
    }


def serves(store, lake):
    wanted = rows_of(lake)
    return all(store.read(item) == wanted[item] for item in wanted)


def test_the_stores_under_test_are_all_that_there_are():
    assert len(EXPORTERS) == len(KINDS) - 1  # two databases, one exporter


def test_every_row_arrives_and_the_record_says_what_is_live(store, lakes):
    record = publish(lakes["old"], store.target)
    assert serves(store, lakes["old"])
    assert store.read("nowhere") == []
    assert (record.variant, record.backbone, record.version) == ("real", "swing", 0)
    assert record.rows == sum(map(len, rows_of(lakes["old"]).values()))
    assert record.previous is None
    assert live(store.target) == record
    exporter = exporter_for(store.target)
    for item in ("7", "007", "nowhere"):
        assert exporter.neighbors(item) == store.read(item)


def test_ids_are_kept_byte_for_byte(store, tmp_path):
    ids = [*AWKWARD_IDS, *(["a\0b", "\0"] if store.has_nul else []), "x" * 600]
    lists = {item: [(other, 1 / 3, 0.0) for other in ids if other != item] for item in ids}
    lake = write_lake(tmp_path / "lake", table_rows(lists))
    publish(lake, store.target)
    assert serves(store, lake)
    assert store.read("\u00e4\u0308") == store.read("7 ") == []


@SPARK
def test_a_frame_on_a_cluster_arrives_as_a_lake_does(store, lakes, spark):
    rows = [
        (
            row["variant"],
            row["backbone"],
            row["item_id"],
            [(e["item_id"], e["score"], e["rank"], e["synthetic_share"]) for e in row["neighbors"]],
        )
        for row in table_rows(random_lists(40, 7, seed=1))
        + table_rows({"a": [("z", 1.0, 1.0)]}, "x")
    ]
    schema = contract_schema(TABLES["item_index"])
    frame = spark.createDataFrame(rows, schema).repartition(3)
    record = publish(frame, store.target, variant="real", version=5, run_id="run")
    assert (record.variant, record.backbone, record.version, record.run_id) == (
        "real",
        "swing",
        5,
        "run",
    )
    assert serves(store, lakes["old"])
    assert live(store.target) == record
    with pytest.raises(UserError, match="no lists of variant y"):
        publish(frame, store.target, variant="y")
    assert serves(store, lakes["old"])


@pytest.mark.faults("F25", end="same")
def test_a_reader_sees_the_old_lists_until_one_moment_and_the_new_ones_after_it(store, lakes):
    old, new = rows_of(lakes["old"]), rows_of(lakes["new"])
    first, second = sorted(old.keys() & new.keys())[:2]
    publish(lakes["old"], store.target)
    seen, done = [], threading.Event()

    def watch():
        while not done.is_set():
            seen.append((store.read(first), store.read(second)))

    reader = threading.Thread(target=watch)
    reader.start()
    try:
        while not seen:
            time.sleep(0.001)
        publish(lakes["new"], store.target)
    finally:
        done.set()
        reader.join()
    seen.append((store.read(first), store.read(second)))
    flags = []
    for one, other in seen:
        assert one in (old[first], new[first])
        assert other in (old[second], new[second])
        flags += [one == new[first], other == new[second]]
    assert flags == sorted(flags)
    assert flags[-1]
    assert not flags[0]


def test_what_a_killed_publish_left_is_not_served_and_goes_with_the_next(store, lakes):
    before = publish(lakes["old"], store.target)
    exporter = exporter_for(store.target)
    exporter.check()
    exporter.begin("20200101T000000-dead")
    exporter.write(load_arrays(find_index(lakes["new"])).batches(), "20200101T000000-dead")
    assert serves(store, lakes["old"])
    assert live(store.target) == before
    assert "20200101T000000-dead" in store.generations()
    after = publish(lakes["new"], store.target)
    assert serves(store, lakes["new"])
    assert store.generations() <= {before.generation, after.generation}


def test_an_error_among_the_rows_leaves_what_was_served_and_nothing_else(store, lakes, monkeypatch):
    before = publish(lakes["old"], store.target)
    monkeypatch.setattr(index_arrays, "ITEMS_AT_ONCE", 10)
    whole = IndexArrays.batches

    def broken(self):
        yield next(iter(whole(self)))
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(IndexArrays, "batches", broken)
    with pytest.raises(RuntimeError, match="the disk is gone"):
        publish(lakes["new"], store.target)
    monkeypatch.undo()
    assert serves(store, lakes["old"])
    assert live(store.target) == before
    assert store.generations() <= {before.generation}


def test_one_can_go_back_once_and_the_record_goes_with_the_rows(store, lakes):
    with pytest.raises(UserError, match="Nothing was published to"):
        rollback(store.target)
    first = publish(lakes["old"], store.target)
    with pytest.raises(UserError, match=f"keeps no index before generation {first.generation}"):
        rollback(store.target)
    second = publish(lakes["new"], store.target)
    assert second.previous == first.generation
    assert rollback(store.target) == first
    assert serves(store, lakes["old"])
    assert live(store.target) == first
    with pytest.raises(UserError, match="keeps no index before"):
        rollback(store.target)
    third = publish(lakes["new"], store.target)
    assert third.previous == first.generation
    assert serves(store, lakes["new"])
    assert store.generations() <= {first.generation, third.generation}
    assert rollback(store.target) == first


def test_two_generations_are_kept(store, lakes):
    published = [publish(lakes[name], store.target).generation for name in ("old", "new", "old")]
    assert store.generations() <= set(published[1:])
    rollback(store.target)
    assert serves(store, lakes["new"])


def test_a_publish_that_was_overtaken_is_not_served(store, lakes):
    exporter = exporter_for(store.target)
    exporter.check()
    exporter.begin("20200101T000000-slow")
    exporter.write(load_arrays(find_index(lakes["old"])).batches(), "20200101T000000-slow")
    record = publish(lakes["new"], store.target)
    slow = type(record)("20200101T000000-slow", None, None, None, None, 1, "", None)
    with pytest.raises(StageError, match="has taken over"):
        exporter.switch(slow)
    assert serves(store, lakes["new"])
    assert live(store.target) == record


def test_an_index_without_neighbours_is_refused(store, lakes):
    before = publish(lakes["old"], store.target)
    with pytest.raises(UserError, match="has no neighbours, so nothing was published"):
        publish(lakes["empty"], store.target)
    assert serves(store, lakes["old"])
    assert live(store.target) == before
    assert store.generations() <= {before.generation}


def test_a_store_that_is_not_there_is_said_before_anything_is_read(store, tmp_path):
    with pytest.raises(UserError, match=r"No .* answers at .*; start it|cannot be written") as said:
        publish(tmp_path / "no lake", store.absent)
    assert str(said.value).endswith(".")
    assert "\n" not in str(said.value)


KILLED = """
import os, signal, sys
from llm_i2i_spark.serving import index_arrays, publish
from llm_i2i_spark.serving.index_arrays import IndexArrays
lake, target, moment = sys.argv[1:]
if target.startswith("jdbc:"):
    from pathlib import Path
    from llm_i2i_spark.base.sections.spark import SparkConfig
    from llm_i2i_spark.lake.session import open_session
    from llm_i2i_spark.serving.jdbc import DIALECTS
    session = open_session(SparkConfig(short_jobs=True), Path("spark.log"))
    driver = DIALECTS[target.split(":")[1]].package
    session.sql(f"ADD JAR ivy://{driver}?transitive=false")
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
index_arrays.ITEMS_AT_ONCE = 10
whole = IndexArrays.batches
def dying(self):
    yield next(iter(whole(self)))
    die()
kind = type(publish.exporter_for(target))
switch = kind.switch
if moment == "among the rows":
    IndexArrays.batches = dying
elif moment == "before the switch":
    kind.switch = die
else:
    kind.switch = lambda *given: (switch(*given), die())
publish.publish(lake, target)
"""


MOMENTS = ("among the rows", "before the switch", "after the switch")
KILLS = [
    *((kind, moment) for kind in ("parquet", "json", "redis") for moment in MOMENTS),
    # A database's publish starts Spark, so each moment is tried on one of the two.
    pytest.param("postgresql", "among the rows", marks=SPARK),
    pytest.param("sqlite", "before the switch", marks=SPARK),
    pytest.param("postgresql", "after the switch", marks=SPARK),
]


@pytest.mark.faults("F25", end="same")
@pytest.mark.parametrize(("store", "moment"), KILLS, indirect=["store"])
def test_a_publish_killed_at_any_moment_leaves_one_whole_index(store, lakes, moment, tmp_path):
    before = publish(lakes["old"], store.target)
    command = [sys.executable, "-c", KILLED, str(lakes["new"]), store.target, moment]
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run(command, env={**os.environ, **path}, cwd=tmp_path)
    assert killed.returncode == -signal.SIGKILL
    switched = moment == "after the switch"
    assert serves(store, lakes["new" if switched else "old"])
    record = live(store.target)
    assert record is not None
    assert (record == before) is not switched
    again = publish(lakes["new"], store.target)
    assert serves(store, lakes["new"])
    assert store.generations() <= {record.generation, again.generation}
    assert rollback(store.target) == record
