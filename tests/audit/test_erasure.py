"""A user is forgotten: found everywhere, deleted everywhere, not taken in again, and looked for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark import Project
from llm_i2i_spark.audit.erasure import erasure_lines, holdings_lines
from llm_i2i_spark.audit.erasure.matching import Users
from llm_i2i_spark.audit.lineage import Lineage
from llm_i2i_spark.base.contract import UserIds
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.run_record import ERASED_ROWS, fingerprint_in
from llm_i2i_spark.cli.main import main
from llm_i2i_spark.lake.delta_rs import DeltaRsLake

pytestmark = pytest.mark.spark

ROWS = {
    ("interactions", "", None): 3,
    ("sft_generator", "branch=base", None): 1,
    ("in_context_examples", "branch=base", None): 1,
    ("retrieved", "branch=base", None): 1,  # of u2, to whom a step of u1 proposed an item
    ("scored", "branch=base", "real"): 1,
    ("fused", "variant=real", "real"): 3,
    ("fused", "variant=llm_i2i", "real"): 3,
    ("fused", "variant=llm_cf", "real"): 3,
}
"""What the lake with a history holds of u1: (table, result, source) -> rows."""


@pytest.fixture
def project(with_llm_cf: Any, tmp_path: Path) -> Project:
    """A copy of the lake with a history that a test may spoil."""
    root = tmp_path / "lake"
    shutil.copytree(with_llm_cf[0].root, root)
    return Project(root)


def files_of(root: Path) -> dict[str, bytes]:
    """Every file but those of locks and logs of processes."""
    return {
        str(file.relative_to(root)): file.read_bytes()
        for file in sorted(root.rglob("*"))
        if file.is_file() and file.name not in ("_lock", "spark.log")
    }


def texts_of(root: Path) -> Iterator[str]:
    """The content of every file as text, Parquet read."""
    for name, content in files_of(root).items():
        if ".parquet" in name and not name.endswith(".crc"):
            yield str(pq.read_table(root / name, partitioning=None).to_pylist())
        else:
            yield content.decode(errors="replace")


def test_the_plan_names_rows_versions_and_models_and_writes_nothing(project: Project) -> None:
    root = Path(str(project.root))
    before = files_of(root)
    held = project.forget("u1")
    assert files_of(root) == before
    assert {(one.table, one.scope, one.source): one.rows for one in held.rows} == ROWS
    assert held.live_rows == sum(ROWS.values())
    assert not held.are_listed
    assert dict(held.old_versions())["interactions"] == (0,)
    assert {one.path for one in held.models} == {
        f"models/{when}/{role}"
        for when in ("used", "later")
        for role in ("generator", "discriminator")
    }
    assert {"fuse", "i2i", "index"} <= set(held.stale_stages)
    text = "\n".join(holdings_lines(held))
    assert "nothing is written without --yes" in text
    assert "  fused [variant=real]: 3 (real)" in text
    assert project.forget("nobody").live_rows == 0


def test_an_erasure_leaves_no_row_no_file_and_no_word_and_keeps_the_lineage(
    project: Project,
) -> None:
    root = Path(str(project.root))
    lake = DeltaRsLake(project.config.lake)
    before = {table: lake.history(table) for table in ("fused", "interactions", "items")}
    others = [row for row in project.table("fused").collect() if row["user_id"] != "u1"]

    erasure = project.forget("u1", yes=True)
    assert {one.table: one.rows for one in erasure.tables} == {
        table: sum(rows for key, rows in ROWS.items() if key[0] == table) for table, *_ in ROWS
    }
    assert erasure.after.live_rows == 0
    assert erasure.after.are_listed
    assert erasure.after.old_files  # nobody asked for them to be removed
    assert set(erasure.after.models) == set(erasure.before.models)
    assert sorted(map(str, project.table("fused").collect())) == sorted(map(str, others))

    fused = lake.history("fused")
    assert fused[0].record is not None
    assert (fused[0].record.run_id, fused[0].record.stage) == (erasure.run_id, "forget")
    assert fused[0].record.attributes[ERASED_ROWS] == {
        "variant=real": 3,
        "variant=llm_i2i": 3,
        "variant=llm_cf": 3,
    }
    scope = {"variant": "real"}
    found = Lineage(project.lake).find("fused", scope)
    assert found is not None
    assert found.written == before["fused"][1].version  # by the run that made it
    assert fingerprint_in(fused, scope) != fingerprint_in(before["fused"], scope)
    version = before["fused"][0].version
    assert fingerprint_in(fused, scope, version) == fingerprint_in(before["fused"], scope)
    assert lake.history("items") == before["items"]

    proof = project.forget("u1", yes=True, purge=True)
    assert proof.tables == ()
    assert proof.removed_files
    assert (proof.after.live_rows, proof.after.files, proof.after.unread) == (0, (), ())
    assert proof.after.models == erasure.before.models  # known by the records still
    assert not any("u1" in text for text in texts_of(root))
    assert any("u2" in text for text in texts_of(root))
    assert "found nowhere else" in "\n".join(erasure_lines(proof))
    assert [commit.version for commit in lake.history("fused")][-1] == 0
    rows = project.table("fused").collect()
    assert sorted(map(str, rows)) == sorted(map(str, others))


CLICKS = [
    f"{user},{item},{1_394_618_400 + 60 * number}"
    for user, items in {"u1": "ABCD", "u2": "ABE", "u3": "BCDE", "u11": "ACE", "u4": "ABCE"}.items()
    for number, item in enumerate(items)
]
BAD = ["u1,A,never", "u3,B,never"]


def log(folder: Path, rows: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "clicks.csv"
    file.write_text("\n".join(["user_id,item_id,ts", *rows]) + "\n")
    return file


def test_the_next_run_is_that_of_a_log_without_the_user(
    spark: SparkSession, tmp_path: Path
) -> None:
    clicks = log(tmp_path / "raw", [*CLICKS, *BAD])
    project = Project(tmp_path / "lake", interactions=clicks)
    project.run(("real",), last="fuse")
    erasure = project.forget("u1", yes=True, purge=True)
    assert [(one.path, one.holds) for one in erasure.after.sources] == [(str(clicks), True)]
    assert {one.table: one.rows for one in erasure.tables}["quarantine"] == 1
    assert erasure.after.files == ()
    assert project.verify().is_ok  # versions that are gone on purpose are no problem
    plan = {one.stage.name: one.results[0].reasons for one in project.explain(("real",)).stages}
    assert plan["ingest"] == ("the source of forgotten_users has changed",)
    assert plan["fuse"] == ("interactions has changed",)

    project.run(("real",), last="fuse")  # the raw log still has the user
    without = Project(
        tmp_path / "other",
        interactions=log(tmp_path / "clean", [row for row in CLICKS + BAD if row[:3] != "u1,"]),
    )
    without.run(("real",), last="fuse")
    for table in ("interactions", "items", "item_stats", "fused"):
        rows = [sorted(map(str, one.table(table).collect())) for one in (project, without)]
        assert rows[0] == rows[1], table
    assert [row["raw"] for row in project.table("quarantine").collect()] == [
        row["raw"] for row in without.table("quarantine").collect()
    ]
    held = project.forget("u1")
    assert (held.live_rows, held.files, held.models, held.stale_stages) == (0, (), (), ())
    assert project.explain(("real",), last="fuse").up_to_date


def test_spark_and_arrow_find_the_same_rows(spark: SparkSession) -> None:
    ids = ["u1", "7", "a.b", "x y", 'q"t', "é", "(", "用户", "u1\\", "u1#2", "o'x", "$1"]
    texts = [
        part
        for one in ids
        for part in (one, f"{one}9", f'{{"user":"{one}"}}', f"é{one}", f"a,{one}")
    ]
    rows = [
        (number, text, text, [(f"{text}|1",), ("other|2",)] if number % 3 else [])
        for number, text in enumerate([*texts, *(f"{one}#3" for one in ids)])
    ]
    columns = "votes array<struct<example_id:string>>"
    frame = spark.createDataFrame(rows, f"number int, user_id string, raw string, {columns}")
    table = frame.toArrow()
    kinds: dict[str, UserIds] = {"user_id": "id", "raw": "text", "votes": "votes"}
    for in_sessions in (False, True):
        users = Users(ids, in_sessions)
        for name, kind in kinds.items():
            one: dict[str, UserIds] = {name: kind}
            mask = users.are_in({name: table[name]}, one)
            values = [(value,) for value in users.values(one)]
            wanted = spark.createDataFrame(values, "value string").alias("wanted")
            found = frame.alias("row").join(wanted, F.expr(users.condition(one)), "left_semi")
            numbers = {row["number"] for row in found.select("number").collect()}
            assert numbers == set(mask.nonzero()[0].tolist()), (name, in_sessions)


def test_the_command_says_as_json_what_it_would_do(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = ["--set", f"lake.root={project.root}"]
    assert main(["audit", "forget", "u1", "u2", "--json", *lake]) == 0
    held = json.loads(capsys.readouterr().out)
    assert held["users"] == ["u1", "u2"]
    assert {"table": "scored", "scope": "branch=base", "source": "synthetic"}.items() <= next(
        one for one in held["rows"] if one["source"] == "synthetic" and one["table"] == "scored"
    ).items()
    assert main(["audit", "forget", "u1", "--purge", *lake]) == 2
    assert "together with --yes" in capsys.readouterr().err


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a folder of this machine"):
        Project("s3://bucket/lake").forget("u1")
    with pytest.raises(UserError, match="Name a user"):
        Project(tmp_path).forget("")
