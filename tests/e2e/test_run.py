"""The whole pipeline on a tiny log: every stage for real, then lookup, export, trace; and runs that
are interrupted and killed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from llm_i2i_spark import Project
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.unfinished_work import inference_folder, training_folder
from tests.benchmarks.quality.scorer import last_of_each_user, rank, read_index
from tests.e2e.conftest import CommandLine, Finished
from tests.e2e.scored_in_sql import expect_what_the_stage_gave
from tests.faults.kills import KilledLake, digests

pytestmark = pytest.mark.e2e
MADE_BEFORE_SFT = (
    "interactions",
    "items",
    "item_stats",
    "quarantine",
    "sft_generator",
    "sft_discriminator",
)
STAGES = ["ingest", "export", "sft", "generate", "discriminate", "fuse", "i2i", "index", "evaluate"]


def seconds_in_the_records(finished: Finished) -> dict[str, float]:
    """By stage, from its begin to the last of its commits; stage evaluate writes the report."""
    lake = DeltaRsLake(LakeConfig(root=str(finished.lake)))
    seconds: dict[str, float] = {}
    for name, table in TABLES.items():
        if table.stage not in STAGES[:-1]:
            continue
        version = finished.summary["tables"][name]["version"]
        commit = next(one for one in lake.history(name) if one.version == version)
        spent = commit.timestamp - datetime.fromisoformat(commit.record.started)
        seconds[table.stage] = max(seconds.get(table.stage, 0.0), spent.total_seconds())
    return seconds


def test_a_run_leaves_summary_report_and_all_tables(finished: Finished) -> None:
    summary = finished.summary
    assert summary == json.loads((finished.lake / "summary.json").read_text())
    assert [stage["stage"] for stage in summary["stages"]] == STAGES
    for variant in ("real", "llm_i2i"):
        figure = summary["metrics"]["variants"][variant]["all"]["recall@10"]
        assert figure["interval"][0] <= figure["value"] <= figure["interval"][1]
    page = Path(summary["report"]).read_text()
    assert page.lower().startswith("<!doctype html>")
    assert "Loss over the epochs of fine-tuning" in page
    line = re.search(r"<dt>seconds</dt><dd>(ingest .* · index [\d.]+)</dd>", page)[1]
    told = {stage: float(seconds) for stage, seconds in map(str.split, line.split(" · "))}
    assert told == pytest.approx(seconds_in_the_records(finished), rel=0.05, abs=0.05)
    spent = {one["stage"]: one["seconds"] for one in summary["stages"]}
    assert all(told[stage] < spent[stage] + 0.6 for stage in told), (told, spent)
    assert summary["tables"]["candidates"]["rows"] == 150 * 5
    assert summary["tables"]["item_candidates"]["rows"] == 120 * 4


def test_a_scorer_that_shares_no_code_finds_the_same_figures(
    finished: Finished, llm_i2i: CommandLine, tmp_path: Path
) -> None:
    lake = DeltaRsLake(LakeConfig(root=str(finished.lake)))
    columns = ["user_id", "item_id", "position", "fold"]
    log = lake.read("interactions", None, columns).to_pandas().rename(columns={"position": "pos"})
    queries = last_of_each_user(log[log["user_id"].isin(log["user_id"][log["fold"] == "test"])])
    for variant in ("real", "llm_i2i"):
        out = tmp_path / f"{variant}.parquet"
        wanted = ("--set", f"lake.root={finished.lake}", "--variant", variant, "--out", str(out))
        llm_i2i.run("index-export", *wanted)
        ranks = rank(read_index(out), queries)
        found = {f"{name}@10": getattr(ranks, name)(10).mean() for name in ("recall", "ndcg")}
        figures = finished.summary["metrics"]["variants"][variant]["all"]
        assert {name: figures[name]["value"] for name in found} == pytest.approx(found, rel=1e-12)


def test_the_same_command_again_finds_everything_up_to_date_without_spark(
    finished: Finished, llm_i2i: Any
) -> None:
    scored = DeltaRsLake(LakeConfig(root=str(finished.lake))).history("scored")[0]
    (result,) = scored.record.scopes.values()
    # As of a process that was killed between its commit and the removal.
    trained = DeltaRsLake(LakeConfig(root=str(finished.lake))).history("checkpoints")[0]
    (checkpoints,) = trained.record.scopes.values()
    kept = (
        inference_folder(finished.lake, result.fingerprint),
        training_folder(finished.lake, checkpoints.fingerprint),
    )
    wanted = inference_folder(finished.lake, "other")
    for folder in (*kept, wanted):
        folder.mkdir(parents=True)
    out, err = llm_i2i.run("run", "--json", *finished.arguments)
    assert [one for one in kept if one.exists()] == []
    wanted.rmdir()  # a run with other settings goes on from here
    again = json.loads(out)
    assert all(stage["up_to_date"] for stage in again["stages"])
    assert again["tables"] == finished.summary["tables"]
    assert again["metrics"] == finished.summary["metrics"]
    assert "starting Spark" not in err


def test_a_run_is_logged_into_mlflow_with_the_versions_that_it_read_and_wrote(
    finished: Finished, here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="extra mlflow is not installed")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    here.run("run", "--mlflow", *finished.arguments)
    (logged,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    summary = finished.summary
    all_users = summary["metrics"]["variants"]["llm_i2i"]["all"]
    figure = logged.data.metrics["llm_i2i/swing/recall_10"]
    assert figure == all_users["recall@10"]["value"]
    assert logged.data.params["sft.hidden_size"] == "16"
    assert "sft.alpha" not in logged.data.params
    used = {
        (one.dataset.name, tag.value): json.loads(one.dataset.source)["path"]
        for one in logged.inputs.dataset_inputs
        for tag in one.tags
        if tag.key == "version"
    }
    for name, table in summary["tables"].items():
        assert used[name, str(table["version"])] == str(finished.lake / name)
    models = mlflow.search_logged_models(output_format="list")
    lake = DeltaRsLake(LakeConfig(root=str(finished.lake)))
    rows = lake.read("checkpoints", None, ["branch", "role", "model_digest"]).to_pylist()
    digests_of = {f"{row['branch']}-{row['role']}": row["model_digest"] for row in rows}
    assert {one.name: one.params["model_digest"] for one in models} == digests_of
    artifacts = mlflow.artifacts.list_artifacts(run_id=logged.info.run_id)
    assert {one.path for one in artifacts} == {"options.yaml", "report.html", "summary.json"}

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert "MLflow at http://127.0.0.1:9 refuses" in here.refuse("run", "--mlflow", "--force")


def test_the_tokens_that_models_have_read_are_those_of_the_estimate(
    finished: Finished, here: Any
) -> None:
    # Another seed changes which users are withheld for calibration, and not how many.
    told = here.run("explain", "--json", *finished.arguments, "--set", "seed=43")
    costs = {one["stage"]: one["cost"] for one in json.loads(told) if "cost" in one}
    took = {one["stage"]: one for one in finished.summary["stages"] if "tokens" in one}
    assert set(costs) == set(took) == {"sft", "generate", "discriminate"}
    for stage, cost in costs.items():
        trained = [one for one in cost["works"] if one["work"] != "draw hard negatives"]
        estimated = sum(one["tokens"] for one in trained)
        assert took[stage]["tokens"] == pytest.approx(estimated, rel=0.03), stage
        assert took[stage]["device_hours"] >= took[stage]["seconds"] / 3600 * 0.99
    lake = DeltaRsLake(LakeConfig(root=str(finished.lake)))
    record = lake.history("checkpoints")[0].record
    assert sum(record.attributes["tokens"].values()) == took["sft"]["tokens"]


def test_explain_says_before_a_run_what_it_would_do_and_why(finished: Finished, here: Any) -> None:
    changed = ("--set", "sft.discriminator.epochs=2")
    plan = json.loads(here.run("explain", "--json", *finished.arguments, *changed))
    assert [stage["stage"] for stage in plan if stage["up_to_date"]] == STAGES[:2]
    (result,) = plan[2]["results"]
    assert result["reasons"] == ["sft.discriminator.epochs was 1 and is 2"]


def test_lookup_export_and_trace_read_the_index(
    finished: Finished, here: Any, tmp_path: Path
) -> None:
    first = _index(here, finished.arguments, tmp_path / "index.parquet")[0]
    clicks = ("--item", first["item_id"], "--k", "3")
    found = here.run("lookup", *finished.arguments, *clicks)
    assert json.loads(found.splitlines()[0])["item_id"] == first["neighbor_id"]
    edge = ("--item", first["item_id"], "--neighbor", first["neighbor_id"])
    assert first["neighbor_id"] in here.run("audit", "trace", *finished.arguments, *edge)
    assert "item_index" in here.run("audit", "runs", *finished.arguments)


def test_a_replay_of_the_lake_says_what_its_lookups_return(finished: Finished, here: Any) -> None:
    found = json.loads(here.run("replay", "--json", *finished.arguments))
    assert found["users"] == 150
    real, mended = found["systems"]["real"], found["systems"]["llm_i2i"]
    assert 0 < real["rn"]["value"] <= found["k"]
    assert mended["rn"]["difference"] == mended["rn"]["value"] / real["rn"]["value"] - 1
    # Of lists cut at ten, the share that hold the item is the recall of the evaluation.
    cut = json.loads(here.run("replay", "--json", *finished.arguments, "--k", "10"))["systems"]
    for variant, figures in finished.summary["metrics"]["variants"].items():
        recall = figures["all"]["recall@10"]["value"]
        assert cut[variant]["l2p_item"]["value"] == pytest.approx(recall, abs=0.01)  # ties
        whole = found["systems"][variant]
        assert recall < whole["l2p_item"]["value"] <= whole["l2p"]["value"] <= 1


def test_models_that_are_trained_a_second_time_are_the_same_and_so_is_what_they_say(
    finished: Finished, here: Any
) -> None:
    stages = ("sft", "generate", "discriminate")
    named = [part for stage in stages for part in ("--stage", stage)]
    files = finished.lake / "checkpoints_files"
    run_id, before = finished.summary["run_id"], sorted(files.rglob("*"))
    found = json.loads(here.run("audit", "replay", "--json", run_id, *named, *finished.arguments))
    assert [(one["stage"], one["state"]) for one in found["stages"]] == [
        (stage, "equal") for stage in stages
    ]
    rows = {one["table"]: one["rows"] for stage in found["stages"] for one in stage["tables"]}
    assert (rows["checkpoints"], rows["candidates"]) == (2, 150 * 5)
    assert sorted(files.rglob("*")) == before


def test_the_rival_is_made_beside_the_others_by_the_same_models(
    copied: Finished, here: Any
) -> None:
    root, arguments, _ = copied
    done = json.loads(here.run("run", "--json", *arguments, "--variants", "real,llm_cf,llm_i2i"))
    made = [stage["stage"] for stage in done["stages"] if not stage["up_to_date"]]
    assert made == ["retrieve", "fuse", "i2i", "index", "evaluate"]
    assert done["metrics"]["variants"]["llm_cf"]["all"]["recall@10"]["value"] > 0
    lake, variant = DeltaRsLake(LakeConfig(root=str(root))), {"variant": "llm_cf"}
    columns = ["user_id", "item_id", "source", "weight", "confidence"]
    fused = lake.read("fused", None, columns, variant).to_pylist()
    synthetic = [row for row in fused if row["source"] == "synthetic"]
    assert all(0 < row["weight"] <= 1 and 0 < row["confidence"] <= 1 for row in synthetic)
    pairs = {(row["user_id"], row["item_id"]) for row in fused}
    assert len(pairs) == len(fused)
    real = len(fused) - len(synthetic)
    assert sum(row["weight"] for row in synthetic) == pytest.approx(real, rel=0.05)
    edges = lake.read(
        "item_similarity", None, ["item_id", "neighbor_id", "synthetic_share"], variant
    )
    edge = max(edges.to_pylist(), key=lambda row: row["synthetic_share"])
    ends = ("--item", edge["item_id"], "--neighbor", edge["neighbor_id"], "--variant", "llm_cf")
    assert "of the votes; compared by generator" in here.run("audit", "trace", *arguments, *ends)
    again = here.run("audit", "replay", done["run_id"], "--stage", "retrieve", *arguments)
    assert "1 of 1 stages wrote the same rows again" in again


def test_the_discriminator_in_sql_says_what_its_stage_wrote(
    finished: Finished, spark: SparkSession
) -> None:
    expect_what_the_stage_gave(Project(config=load_config([], finished.arguments[1::2])))


def test_an_interrupted_run_ends_with_one_sentence(
    raw_files: Any, llm_i2i: Any, tmp_path: Path
) -> None:
    process = llm_i2i.start("ingest", *raw_files.arguments(tmp_path / "lake"))
    _wait_for("ingest", process)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    # Python ends by the signal itself where it came while a text was executed, as when a dataclass
    # is made; a shell calls either 130.
    assert process.returncode in (130, -signal.SIGINT)
    assert out == ""
    assert err.splitlines()[-1].startswith("llm-i2i: Stopped; the same command goes on")
    assert "Traceback" not in err


@pytest.mark.faults
def test_a_run_killed_in_sft_and_in_generate_ends_with_the_same_rows(
    finished: Finished, tmp_path: Path
) -> None:
    root, of_killed = tmp_path / "lake", ("checkpoints", "candidates", "item_candidates")
    for table in MADE_BEFORE_SFT:
        shutil.copytree(finished.lake / table, root / table)
    arguments = [one.replace(str(finished.lake), str(root)) for one in finished.arguments]
    lake = KilledLake(root, ["run", "--to", "generate", *arguments], tmp_path / "tmp")
    assert lake.kill("training step:2:KILL:parent")
    assert lake.kill("table written:1")
    lake.finish()
    assert [(kill.outcome, kill.bad) for kill in lake.kills] == [("driver killed", "")] * 2
    assert lake.leftovers() == []
    found, expected = digests(root), digests(finished.lake)
    assert {name: found[name] for name in of_killed} == {name: expected[name] for name in of_killed}


def _wait_for(stage: str, process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    assert any(f"] {stage}: reads" in line for line in process.stderr), (
        f"the run ended before stage {stage} began"
    )


def _index(here: Any, arguments: list[str], out: Path) -> list[dict[str, Any]]:
    here.run("index-export", *arguments, "--out", str(out))
    return sorted(pq.read_table(out).to_pylist(), key=lambda row: (row["item_id"], row["rank"]))
