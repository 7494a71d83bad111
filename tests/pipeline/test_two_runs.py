"""Two runs on one lake, the second at a named point of the first: each ends with its own result.

The second run begins inside the first, in the callback that a run calls after each stage, so that
the order of their commits is always the same. In one process no lock holds it back: what is tested
is what holds in lakes without a lock as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_i2i_spark import Project
from llm_i2i_spark.project.results import ProjectRun

pytestmark = pytest.mark.spark


def write_log(path: Path, users: int, item: str) -> Path:
    """A log in which every user clicks four of five items, whose ids begin with a letter."""
    rows = [
        f"u{user},{item}{(user + step) % 5},{1_400_000_000 + 100 * user + step}"
        for user in range(users)
        for step in range(4)
    ]
    path.write_text("\n".join(["user_id,item_id,ts", *rows]) + "\n")
    return path


def items_of(project: Project, run: ProjectRun) -> set[str]:
    """First letters of the items in the index that a run ended with."""
    version = run.summary["tables"]["item_index"]["version"]
    return {row["item_id"][0] for row in project.table("item_index", version).collect()}


@pytest.mark.parametrize(("point", "last"), [("ingest", None), ("i2i", "index")])
def test_each_run_ends_with_its_own_result(
    spark: Any, tmp_path: Path, point: str, last: str | None
) -> None:
    logs = [
        write_log(tmp_path / f"{item}.csv", users, item) for users, item in ((8, "a"), (12, "b"))
    ]
    settings = {"evaluate.bootstrap": 10}
    first, second = (
        Project(tmp_path / "lake", interactions=log, settings=settings) for log in logs
    )
    inner: list[ProjectRun] = []

    def interrupt(outcome: Any) -> None:
        if outcome.stage == point and not inner:
            inner.append(second.run(("real",), last=last))

    outer = first.run(("real",), last=last, on_stage=interrupt)
    for project, run, item, users in ((first, outer, "a", 8), (second, inner[0], "b", 12)):
        assert items_of(project, run) == {item}
        if last is None:
            assert {row["run_id"] for row in run.metrics} == {run.run_id}
            recalls = [
                one for one in run.metrics if (one["name"], one["slice"]) == ("recall", "all")
            ]
            assert {one["n"] for one in recalls} == {users}
            assert Path(run.report or "").parent.name == run.run_id


def test_a_source_is_read_at_the_version_that_was_pinned(spark: Any, tmp_path: Path) -> None:
    clicks = spark.createDataFrame(
        [(f"u{user}", f"i{step}", 1_400_000_000 + step) for user in range(4) for step in range(4)],
        "user_id string, item_id string, ts long",
    )
    clicks.write.saveAsTable("growing_clicks", format="delta")
    project = Project(tmp_path / "lake", interactions="growing_clicks")

    def grow(outcome: Any) -> None:
        more = clicks.selectExpr("concat('v', user_id) AS user_id", "item_id", "ts")
        more.write.saveAsTable("growing_clicks", format="delta", mode="append")

    try:
        run = project.run(("real",), last="fuse", on_stage=grow)  # grows twice
        assert run.summary["tables"]["fused"]["rows"] == 12  # of 4 users, without the held-out item
        plan = project.explain(("real",), last="fuse")
        reasons = plan.stages[0].results[0].reasons
        assert reasons == ("the source of interactions has changed",)
        assert project.run(("real",), last="ingest").summary["tables"]["interactions"]["rows"] == 32
    finally:
        spark.sql("DROP TABLE growing_clicks")
