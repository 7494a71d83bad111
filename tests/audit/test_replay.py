"""A run that is replayed writes the same rows; what cannot be replayed, and what differs, is named
by stage. One real run of the stages without models.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from llm_i2i_spark.audit.replay.executions import (
    CannotReplayError,
    executions_of,
    pin,
    recorded_config,
)
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.environment import environment
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.run_record import ScopeResult, commit_of
from llm_i2i_spark.lake.delta_rs import DeltaRsLake, table_history
from llm_i2i_spark.lake.row_digest import row_digest
from llm_i2i_spark.lake.version_link import link_version
from llm_i2i_spark.pipeline.stages import STAGES
from llm_i2i_spark.project import Project
from tests.pipeline.test_two_runs import write_log

pytestmark = pytest.mark.spark
BY_NAME = {stage.name: stage for stage in STAGES}


@pytest.fixture
def spoiled(finished, tmp_path):
    """A copy of that project that a test may spoil."""
    project, run_id = finished
    root = tmp_path / "lake"
    shutil.copytree(project.root, root)
    return Project(root, config=project.config), run_id


def _tree(root: str) -> dict[str, int]:
    return {
        str(path): path.stat().st_mtime_ns
        for path in Path(root).rglob("*")
        if path.is_file() and path.name != "spark.log"
    }


def _reason(project: Project, run_id: str, stage: str) -> str:
    """Why a stage cannot be replayed, found without Spark."""
    lake = DeltaRsLake(project.config.lake)
    (execution,) = executions_of(lake, BY_NAME, run_id, [stage])
    with pytest.raises(CannotReplayError) as found:
        pin(lake, execution, recorded_config(execution.record, project.config), lambda: None)
    return str(found.value)


def _add_training(project: Project, run_id: str) -> None:
    """A commit that says of stage sft what the runner makes it say, of the same run."""
    lake = DeltaRsLake(project.config.lake)
    commit = commit_of(lake.history("fused"), {"variant": "real"})
    result = ScopeResult("f", {"sft_generator[branch=base]": "g"}, "c")
    record = replace(
        commit.record, stage="sft", table="checkpoints", scopes={"branch=base": result}
    )
    metadata = CommitProperties(custom_metadata={"userMetadata": record.to_json()})
    row = pa.table({"branch": ["base"], "role": ["generator"]})
    write_deltalake(f"{project.root}/checkpoints", row, commit_properties=metadata)


def test_every_stage_writes_the_same_rows_again_and_the_lake_stays_as_it_is(spoiled) -> None:
    project, run_id = spoiled
    _add_training(project, run_id)
    before = _tree(project.root)
    other = project.with_settings({"index.size": 9, "split.holdout": "none"})  # the record's count
    replay = other.replay_run(run_id)
    stages = [(one.stage, one.state, one.reason.partition(";")[0]) for one in replay.stages]
    assert stages == [
        ("ingest", "equal", ""),
        ("sft", "left out", "it trains a model"),
        *((stage, "equal", "") for stage in ("fuse", "i2i", "index")),
    ]
    assert replay.is_equal
    tables = [table for one in replay.stages for table in one.tables]
    assert [table.table for table in tables if table.rows] == [
        "interactions",
        "items",
        "item_stats",
        "fused",
        "item_similarity",
        "item_index",
    ]
    assert str(replay).endswith("4 of 5 stages wrote the same rows again, 1 left out")
    json.dumps(replay.to_dict())
    assert _tree(project.root) == before
    assert not Path(project.root, "_replay").exists()


def test_a_training_is_replayed_where_that_is_asked_for(spoiled) -> None:
    project, run_id = spoiled
    _add_training(project, run_id)
    for table in TABLES.keys() - {"checkpoints"}:
        shutil.rmtree(f"{project.root}/{table}", ignore_errors=True)
    nothing = project.replay_run(run_id)
    assert [one.state for one in nothing.stages] == ["left out"]
    assert not nothing.is_equal
    for asked in ({"train": True}, {"stages": ["sft"]}):
        (training,) = project.replay_run(run_id, **asked).stages
        assert training.state == "not replayed"
        assert training.reason.startswith("the code of sft is another one than that of the run")


def test_a_stage_whose_rows_were_changed_differs_and_says_how_many(spoiled) -> None:
    project, run_id = spoiled
    path = f"{project.root}/item_index"
    (commit,) = DeltaRsLake(project.config.lake).history("item_index")[:1]
    rows = DeltaRsLake(project.config.lake).read(
        "item_index", None, ["variant", "backbone", "item_id", "neighbors"]
    )
    shutil.rmtree(path)
    elsewhere = replace(
        commit.record, environment={**commit.record.environment, "numpy": "1.0", "gpu": "A100"}
    )
    metadata = CommitProperties(custom_metadata={"userMetadata": elsewhere.to_json()})
    write_deltalake(path, rows.slice(1), commit_properties=metadata)
    replay = project.replay_run(run_id, ["index"])
    (stage,) = replay.stages
    assert stage.environment == (
        f"gpu was A100 and is {environment()['gpu']}",
        f"numpy was 1.0 and is {np.__version__}",
    )
    assert stage.environment[0] in str(replay)
    (table,) = stage.tables
    assert (stage.state, replay.is_equal) == ("differs", False)
    assert (table.rows, table.rows_again, table.differing) == (4, 5, 0)


def test_an_input_whose_files_are_gone_is_named(spoiled) -> None:
    project, run_id = spoiled
    for uri in DeltaTable(f"{project.root}/fused").file_uris():
        Path(project.root, "fused", uri.rpartition("/")[2]).unlink()
    assert "fused[variant=real] v1, which it read, can no longer be read" in _reason(
        project, run_id, "i2i"
    )
    assert "what it wrote, fused v1, is gone" in _reason(project, run_id, "fuse")


def test_other_code_is_named_and_may_be_allowed(finished) -> None:
    project, run_id = finished
    lake = DeltaRsLake(project.config.lake)
    (execution,) = executions_of(lake, BY_NAME, run_id, ["index"])
    stage = replace(execution.stage, code=("fuse",))
    changed = replace(execution, stage=stage)
    with pytest.raises(CannotReplayError, match=r"code of index is another one .*--other-code"):
        pin(lake, changed, project.config, lambda: None)
    pinned = pin(lake, changed, project.config, lambda: None, other_code=True)
    assert pinned.reads == {"item_similarity": 1, "fused": 1}
    assert pinned.read_scopes["fused"] == ({"variant": "real"},)


def test_an_unknown_run_is_a_sentence(finished) -> None:
    project, run_id = finished
    lake = DeltaRsLake(project.config.lake)
    with pytest.raises(UserError, match="a run nobody; `llm-i2i audit runs` lists"):
        executions_of(lake, BY_NAME, "nobody")
    with pytest.raises(UserError, match="has a commit of stage sft of a run"):
        executions_of(lake, BY_NAME, run_id, ["sft"])


def test_a_linked_version_is_that_version_and_shares_its_files(history, tmp_path) -> None:
    target = tmp_path / "fused"
    link_version(str(history.root / "fused"), str(target), 1)
    source = history.root / "fused"
    assert table_history(str(target)) == table_history(str(source))[1:]
    files = list(target.glob("*.parquet"))
    assert [one.stat().st_ino for one in files] == [
        (source / one.name).stat().st_ino for one in files
    ]
    assert len(files) == len(DeltaTable(str(target)).file_uris()) > 0


def test_a_digest_of_rows_knows_no_order_but_tells_nulls_and_maps_apart(spark) -> None:
    schema = "id string, weight double, extra map<string,string>"
    rows = [("a", 0.1, {"x": "1", "y": "2"}), ("b", None, {}), ("b", None, {})]
    digest = row_digest(spark.createDataFrame(rows, schema))
    turned = [rows[1], ("a", 0.1, {"y": "2", "x": "1"}), rows[2]]
    assert row_digest(spark.createDataFrame(turned, schema).repartition(3)) == digest
    for other in (
        rows[:2],
        [("a", None, rows[0][2]), ("b", 0.1, {}), ("b", None, {})],
        [("a", 0.1, {"x": "2", "y": "1"}), *rows[1:]],
        [rows[0], ("b", None, None), ("b", None, None)],
    ):
        assert row_digest(spark.createDataFrame(other, schema)) != digest


def test_a_source_that_has_changed_is_named(finished) -> None:
    """The last one: it changes the log that the others replay."""
    project, run_id = finished
    write_log(Path(project.config.ingest.interactions), 9, "a")
    reason = _reason(project, run_id, "ingest")
    assert reason.startswith("the source of interactions has changed since (digest ")
