"""A rollback brings rows back as new commits, and everything that follows the history sees what
the rows were made from.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from deltalake import DeltaTable

from llm_i2i_spark.audit.origins import Origins
from llm_i2i_spark.audit.rollback import plan_rollback
from llm_i2i_spark.audit.runs import list_runs, runs_lines
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.run_record import ERASED_ROWS, fingerprint_in
from llm_i2i_spark.cli.main import main
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.project import Project
from tests.audit.commits import LLM_I2I, REAL, SWING
from tests.pipeline.memory_lake import MemoryLake, Shop

pytestmark = pytest.mark.spark
USED = "20260102T000000-used"


def test_the_plan_names_what_comes_back_and_what_is_the_same(history) -> None:
    plan = Project(config=history.config).plan_restore(USED)
    assert (plan.index_version, plan.run_id) == (1, USED)
    back = {one.table: (one.current, one.version) for one in plan.tables}
    assert back.pop("fused") == (2, 1)
    assert back.pop("item_index") == (2, 1)
    assert back == dict.fromkeys(
        ("interactions", "items", "checkpoints", "candidates", "scored", "item_similarity"), (1, 0)
    )
    assert plan.unchanged == ("sft_generator",)
    assert [one.table for one in plan.tables][-1] == "item_index"
    assert {note for one in plan.tables for note in one.notes} == set()
    latest = Project(config=history.config).plan_restore(version=2, tables=["item_index"])
    assert latest.lines()[-1] == "every table holds these rows already"


def test_rows_come_back_and_their_history_with_them(copied) -> None:
    _, root = copied
    project = Project(root)
    done = project.restore(USED, tables=["item_similarity", "item_index"])
    assert done.versions == {"item_similarity": 2, "item_index": 3}
    assert all(system.is_same for system in project.diff(1, 3).systems)
    histories = DeltaRsLake(project.config.lake)
    index = histories.history("item_index")
    for scope in (REAL | SWING, LLM_I2I | SWING):
        assert fingerprint_in(index, scope) == fingerprint_in(index, scope, 1)
    assert fingerprint_in(index, REAL | {"backbone": "bm25"}) is None
    origins = Origins(histories)
    origin, then = (origins.find("item_index", REAL | SWING, version) for version in (None, 1))
    assert origin is not None
    assert then is not None
    assert (origin.version, origin.written) == (3, 1)
    assert origins.upstream(origin)[1:] == origins.upstream(then)[1:]
    assert f"run {done.run_id}" in runs_lines(list_runs(histories))[0]
    assert "rollback      item_similarity v2" in "\n".join(runs_lines(list_runs(histories)))

    undone = project.restore(version=2, tables=["item_index"])
    assert undone.versions == {"item_index": 4}
    assert all(system.is_same for system in project.diff(2, 4).systems)


def test_the_command_shows_the_plan_first(copied, capsys) -> None:
    lake, root = copied
    arguments = ["audit", "rollback", USED, "--table", "item_index", "--set", f"lake.root={root}"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "item_index           v2 now; the rows of v1 (" in shown
    assert shown.endswith("nothing is changed yet: add --yes\n")
    assert lake.version("item_index") == 2
    assert main([*arguments, "--yes"]) == 0
    shown = capsys.readouterr().out
    assert "brought item_index v1 back: item_index v3" in shown
    assert "undo it with: llm-i2i audit rollback --version 2" in shown
    assert lake.version("item_index") == 3


def test_what_cannot_come_back_is_a_sentence(copied) -> None:
    _, root = copied
    project = Project(root)
    for words, arguments in (
        ("No run nobody wrote item_index", {"run": "nobody"}),
        ("Name a run or a version", {}),
        ("was not made from a table metrics", {"version": 1, "tables": ["metrics"]}),
    ):
        with pytest.raises(UserError, match=words):
            project.plan_restore(**arguments)
    for uri in DeltaTable(str(root / "scored"), version=0).file_uris():
        Path(root, "scored", uri.rpartition("/")[2]).unlink()
    with pytest.raises(UserError, match="scored v0 cannot come back, since its files are gone"):
        project.restore(USED)


def test_a_run_after_a_rollback_is_up_to_date_with_the_options_of_then(tmp_path) -> None:
    for name, line in (("interactions", "user_id,item_id\nu,i\n"), ("items", "item_id,title\n")):
        (tmp_path / f"{name}.csv").write_text(line)
    shop = Shop(tmp_path)
    shop.run()
    later = shop.given("index.size=7")
    later.run()
    assert later.plan(last="index").up_to_date
    (index,) = [one for one in shop.lake.history("item_index")[:1] if one.record]
    assert index.version == 1
    shop.bring_back("item_index", 0)
    assert shop.plan(last="index").up_to_date
    assert not later.plan(last="index").up_to_date


def test_a_version_that_no_run_wrote_is_a_sentence() -> None:
    lake = MemoryLake()
    lake.commit("item_index", None, "CREATE TABLE")
    with pytest.raises(UserError, match="item_index v0 holds no index that a run wrote"):
        plan_rollback(lake, 0)


def test_rows_of_forgotten_users_do_not_come_back(tmp_path) -> None:
    shop = Shop(tmp_path)
    for name in ("interactions", "items"):
        (tmp_path / f"{name}.csv").write_text(name)
    shop.run()
    record = shop.lake.history("fused")[0].record
    erasure = replace(record, stage="forget", scopes={}, attributes={ERASED_ROWS: {"": 3}})
    shop.lake.commit("fused", erasure, "DELETE")
    shop.given("i2i.swing.a2=7").run()
    with pytest.raises(UserError, match="fused v0 holds rows of users that were forgotten since"):
        plan_rollback(shop.lake, 0)
    assert [one.table for one in plan_rollback(shop.lake, 0, ["item_index"]).tables] == [
        "item_index"
    ]
    shop.lake.commit("fused", record)
    shop.run()
    later = shop.lake.history("item_index")[0].version
    shop.given("i2i.swing.a2=7").run()
    assert plan_rollback(shop.lake, later).tables  # made after the erasure
