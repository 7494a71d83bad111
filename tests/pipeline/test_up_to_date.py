"""Up to date means: made from the present inputs, and readable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_i2i_spark import Project
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import StageError, UserError
from llm_i2i_spark.lake.delta_rs import DeltaRsLake, retention_differs
from llm_i2i_spark.lake.location import retention_properties
from llm_i2i_spark.lake.session import session_settings
from llm_i2i_spark.project.results import ProjectRun

pytestmark = pytest.mark.spark

DAYS = ("1394618400", "1394704800")


def day(number: int) -> str:
    """The clicks of a day, as the case `glob_is_never_refreshed` has them."""
    rows = [f"u{user},i{number}{item},{DAYS[number]}" for user in range(2) for item in range(2)]
    return "\n".join(["user_id,item_id,ts", *rows]) + "\n"


def ingest(project: Project) -> ProjectRun:
    return project.run(("real",), last="ingest")


def why(project: Project) -> tuple[str, ...]:
    """Why ingest would run; empty where it is up to date."""
    return project.explain(("real",), last="ingest").stages[0].results[0].reasons


def rows_of(project: Project) -> set[tuple[str, str]]:
    return {(row["user_id"], row["item_id"]) for row in project.table("interactions").collect()}


@pytest.fixture
def days(tmp_path: Path) -> Path:
    folder = tmp_path / "days"
    folder.mkdir()
    (folder / "day1.csv").write_text(day(0))
    return folder


@pytest.fixture
def project(spark: Any, days: Path, tmp_path: Path) -> Project:
    """A lake that holds the first day."""
    project = Project(tmp_path / "lake", interactions=days / "*.csv")
    ingest(project)
    return project


def test_a_new_file_of_a_pattern_is_in_the_next_run(project: Project, days: Path) -> None:
    assert why(project) == ()
    (days / "day2.csv").write_text(day(1))
    assert why(project) == ("the source of interactions has changed",)
    ingest(project)
    assert rows_of(project) == {
        (f"u{user}", f"i{number}{item}")
        for user in range(2)
        for number in range(2)
        for item in range(2)
    }
    assert why(project) == ()


@pytest.mark.faults("F12", end="same")
def test_lost_files_are_named_and_made_again(project: Project, tmp_path: Path) -> None:
    before = rows_of(project)
    for damage in (os.remove, lambda file: os.truncate(file, 10)):
        damage(next((tmp_path / "lake" / "interactions").glob("*.parquet")))
        assert why(project) == ("files of interactions are missing",)
        with pytest.raises(UserError, match="whose files are missing; run stage ingest again"):
            project.run(("real",), first="fuse", last="fuse")
        ingest(project)
        assert rows_of(project) == before
        assert why(project) == ()


@pytest.mark.faults("F12", end="error")
def test_a_damaged_file_is_named_with_the_command_that_mends_it(
    project: Project, tmp_path: Path
) -> None:
    before = rows_of(project)
    file = next((tmp_path / "lake" / "interactions").glob("*.parquet"))
    content = bytearray(file.read_bytes())
    content[40] ^= 1
    file.write_bytes(content)
    file.with_name(f".{file.name}.crc").unlink()
    with pytest.raises(StageError, match=f"{file} is damaged; move it away with `mv '{file}'"):
        project.run(("real",), last="fuse")
    file.rename(f"{file}.damaged")
    project.run(("real",), last="fuse")
    assert rows_of(project) == before


@pytest.mark.faults("F12", end="error")
def test_a_damaged_log_is_a_sentence_whose_command_mends_it(
    project: Project, tmp_path: Path
) -> None:
    before, table = rows_of(project), tmp_path / "lake" / "items"
    log = sorted((table / "_delta_log").glob("*.json"))[-1]
    log.write_text(log.read_text()[:100])
    with pytest.raises(UserError, match=f"log of {table} is damaged .*`mv '{table}'") as caught:
        why(project)
    assert "\n" not in str(caught.value)
    table.rename(f"{table}.damaged")
    ingest(project)
    assert rows_of(project) == before
    assert project.table("items").count() == 2


def test_a_changed_retention_reaches_the_tables_that_exist(
    project: Project, days: Path, tmp_path: Path
) -> None:
    other = Project(
        tmp_path / "lake",
        interactions=days / "*.csv",
        settings={"lake.retention_days": 30},
    )
    properties = retention_properties(other.config.lake)
    paths = [DeltaRsLake(other.config.lake).path(name) for name in TABLES]
    assert any(retention_differs(path, properties) for path in paths)
    run = ingest(other)
    assert all(stage.skipped for stage in run.stages)
    assert not any(retention_differs(path, properties) for path in paths)


@pytest.fixture
def elsewhere(spark: Any) -> Iterator[Any]:
    """A session as its owner had set it: another time zone, no checks of casts."""
    owners = {"spark.sql.session.timeZone": "America/New_York", "spark.sql.ansi.enabled": "false"}
    before = {key: spark.conf.get(key, None) for key in owners}
    for key, value in owners.items():
        spark.conf.set(key, value)
    yield spark
    assert {key: spark.conf.get(key) for key in owners} == owners
    for key, value in before.items():
        if value is None:
            spark.conf.unset(key)
        else:
            spark.conf.set(key, value)


@pytest.mark.faults("F14", end="same")
def test_a_session_of_another_time_zone_gives_the_same_rows_and_keeps_its_own(
    elsewhere: Any, tmp_path: Path
) -> None:
    log = tmp_path / "log.csv"
    log.write_text("user_id,item_id,ts\nu,a,2014-03-12 10:00:00\nu,b,2014-03-12 11:00:00\n")
    project = Project(tmp_path / "lake", interactions=log)
    ingest(project)
    seconds = project.table("interactions").selectExpr("unix_seconds(ts) AS ts").collect()
    assert sorted(row["ts"] for row in seconds) == [1394618400, 1394622000]
    with session_settings(elsewhere):
        assert elsewhere.conf.get("spark.sql.session.timeZone") == "UTC"


def test_tables_and_views_of_the_catalog_are_known_by_what_is_in_them(
    spark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def clicks(user: str) -> Any:
        columns = "user_id string, item_id string, ts long"
        return spark.createDataFrame([(user, "a", 1394618400), (user, "b", 1394618401)], columns)

    names = ("delta_clicks", "parquet_clicks", "clicks_view")
    for name in names[:2]:
        clicks("u1").write.saveAsTable(name, format=name.split("_")[0])
    clicks("u1").createOrReplaceTempView(names[2])
    try:
        projects = {name: Project(tmp_path / name, interactions=name) for name in names}
        for name, project in projects.items():
            ingest(project)
            assert why(project) == (), name
        assert "its rows are read every time" in capsys.readouterr().err
        for name in names[:2]:
            clicks("u2").write.saveAsTable(name, format=name.split("_")[0], mode="append")
        clicks("u2").union(clicks("u1")).createOrReplaceTempView(names[2])
        for name, project in projects.items():
            assert why(project) == ("the source of interactions has changed",), name
            ingest(project)
            assert rows_of(project) == {(user, item) for user in ("u1", "u2") for item in "ab"}
        spark.sql("DROP TABLE delta_clicks")  # and versions begin anew
        for user in ("u3", "u4"):
            clicks(user).write.saveAsTable("delta_clicks", format="delta", mode="append")
        assert why(projects["delta_clicks"]) == ("the source of interactions has changed",)
    finally:
        for name in names[:2]:
            spark.sql(f"DROP TABLE IF EXISTS {name}")


def test_a_view_of_changing_rows_is_refused(spark: Any, tmp_path: Path) -> None:
    spark.sql("SELECT uuid() AS user_id, 'a' AS item_id").createOrReplaceTempView("random_users")
    with pytest.raises(StageError, match="random_users gave other rows than when this run began"):
        ingest(Project(tmp_path / "lake", interactions="random_users"))


def test_a_remote_folder_is_known_by_its_listing(spark: Any, days: Path) -> None:
    from llm_i2i_spark.ingest.source_versions import require_unchanged
    from llm_i2i_spark.ingest.spark_versions import source_by_spark

    before = source_by_spark(spark, str(days), "interactions")
    assert before.kind == "remote_files"
    assert source_by_spark(spark, f"{days}/*.csv", "interactions").digest == before.digest
    (days / "day2.csv").write_text(day(1))
    after = source_by_spark(spark, str(days), "interactions")
    assert (after.description, len(after.files)) == ("2 files", 2)
    assert after.digest != before.digest
    require_unchanged(before, "interactions", lambda: spark)
    (days / "day1.csv").write_text(day(1) + day(1))
    with pytest.raises(StageError, match="start the run again"):
        require_unchanged(before, "interactions", lambda: spark)
    for path, sentence in ((f"{days}/*.json", "There is nothing at"), ("no_table", "neither a")):
        with pytest.raises(UserError, match=sentence):
            source_by_spark(spark, path, "interactions")
