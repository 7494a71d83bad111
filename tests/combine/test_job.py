"""The job on a tiny lake: what it commits, what it does not do twice, what it refuses."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from deltalake import DeltaTable

from llm_i2i_spark.backbones.blend_engine.combiner_checkpoints import load_combiner
from llm_i2i_spark.base.contract import scope_key
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import InputDataError, StageError
from llm_i2i_spark.base.run_record import RunRecord
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.combine.job import Job
from llm_i2i_spark.combine.saved_combiners import lost_combiner
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.training_job.events import Reporter
from llm_i2i_spark.training_job.launch import launch
from tests.stage_runs import pinned_run

pytestmark = pytest.mark.lm
COLUMNS = list(TABLES["combiners"].names)


def lake_of(root: Path) -> DeltaRsLake:
    return DeltaRsLake(LakeConfig(root=str(root)))


def committed(root: Path) -> dict[str, dict]:
    """The rows of `combiners` by variant."""
    rows = lake_of(root).read("combiners", None, COLUMNS).to_pylist()
    return {row["variant"]: row for row in rows}


def run_here(config: Path, scopes, fingerprint: str = "f1") -> tuple[int, list[str]]:
    """The committed version and the notes of a run."""
    settings, notes = load_config([config]), []
    pinned = pinned_run("combine", {"fused": 0}, scopes, "r1", fingerprint)
    version = Job(settings, pinned, DeltaRsLake(settings.lake), Reporter(notes.append)).execute()
    return version, [note["text"] for note in notes if note["kind"] == "note"]


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory):
    """A lake on which the job ran to its end, undisturbed."""
    root = tiny.write_lake(tmp_path_factory.mktemp("finished"))
    done = tiny.run_job(tiny.write_config(root))
    assert done.returncode == 0, done.stderr + (root / "combine.log").read_text()
    return root, done


def test_all_combiners_are_committed_at_once_with_their_origin(finished, tiny):
    root, done = finished
    assert done.stdout == ""
    assert "combiners version 0" in done.stderr
    rows = committed(root)
    assert set(rows) == {"real", "llm_i2i"}
    for row in rows.values():
        fields, folder = json.loads(row["manifest"]), Path(row["path"])
        assert folder.parent == root / "combiners_files"
        assert json.loads((folder / "manifest.json").read_text())["fields"] == fields
        assert (row["examples"], fields["held_out_examples"], fields["seed"]) == (200, 20, 3)
        assert fields["training"]["epochs"] == 3
        combiner = load_combiner(folder, row["model_digest"])
        assert combiner.weight_1.shape == (tiny.features, 32)
        curve = [json.loads(line) for line in (folder / "training.jsonl").read_text().splitlines()]
        assert [point["epoch"] for point in curve] == [1, 2, 3]
        assert curve[-1]["loss"] < curve[0]["loss"]
        assert curve[-1]["held_out_loss"] < fields["mixture_loss"]
    assert rows["real"]["model_digest"] != rows["llm_i2i"]["model_digest"]
    record = RunRecord.from_json(DeltaTable(str(root / "combiners")).history(1)[0]["userMetadata"])
    assert (record.stage, record.table) == ("combine", "combiners")
    assert {key: one.fingerprint for key, one in record.scopes.items()} == {
        scope_key(scope): "f1" for scope in tiny.scopes
    }


def test_the_same_run_again_trains_nothing_and_commits_nothing(finished, tiny, tmp_path):
    root, _ = finished
    copy = tmp_path / "lake"
    shutil.copytree(root, copy)
    version, notes = run_here(tiny.write_config(copy), tiny.scopes)
    assert version == DeltaTable(str(copy / "combiners")).version() == 0
    assert len(notes) == 3
    assert notes[-1] == "combiners version 0 already holds the result of this run"


def test_killed_between_two_combiners_the_first_is_kept_and_the_result_is_the_same(tiny, tmp_path):
    root, undisturbed = tiny.write_lake(tmp_path / "a"), tiny.write_lake(tmp_path / "b")
    config = tiny.write_config(root, epochs=40)
    child = subprocess.Popen(tiny.command(config), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(root.glob("combiners_files/real-*/manifest.json")):
        assert child.poll() is None
        assert time.monotonic() < deadline
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (root / "combiners").exists()
    kept = next(root.glob("combiners_files/real-*/manifest.json")).stat().st_mtime_ns
    _, notes = run_here(config, tiny.scopes)
    assert any(note.startswith("the combiner of blend of real") for note in notes)
    assert next(root.glob("combiners_files/real-*/manifest.json")).stat().st_mtime_ns == kept
    run_here(tiny.write_config(undisturbed, epochs=40), tiny.scopes)
    for variant, row in committed(undisturbed).items():
        assert committed(root)[variant]["model_digest"] == row["model_digest"]


def test_a_flipped_bit_in_any_file_is_refused_and_the_combiner_is_trained_again(
    finished, tiny, tmp_path
):
    root = tmp_path / "lake"
    shutil.copytree(finished[0], root)
    row = committed(root)["real"]
    folder = root / "combiners_files" / Path(row["path"]).name
    numbers = random.Random(1)
    for path in sorted(folder.iterdir()):
        original = path.read_bytes()
        damaged = bytearray(original)
        damaged[numbers.randrange(len(damaged))] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(InputDataError, match="run combine again"):
            load_combiner(folder, row["model_digest"])
        _, notes = run_here(tiny.write_config(root), tiny.scopes)
        assert "the finished combiner of blend of real is not usable" in notes[0]
        assert path.name == "manifest.json" or path.read_bytes() == original
        load_combiner(folder, row["model_digest"])
    with pytest.raises(InputDataError, match="holds another combiner"):
        load_combiner(folder, committed(root)["llm_i2i"]["model_digest"])


def test_a_missing_folder_is_missed_and_made_again(tiny, tmp_path):
    root = tiny.write_lake(tmp_path, 60, tiny.scopes[:1])
    config, scope = tiny.write_config(root), tiny.scopes[0]
    assert lost_combiner(lake_of(root), 0, scope).startswith("There is no table combiners")
    run_here(config, [scope])
    assert lost_combiner(lake_of(root), 0, scope) is None
    folder = Path(committed(root)["real"]["path"])
    (folder / "combiner.safetensors").write_bytes(b"cut")
    gone = f"files of the combiner in {folder} are missing"
    assert lost_combiner(lake_of(root), 0, scope) == gone
    shutil.rmtree(folder)
    assert lost_combiner(lake_of(root), 0, scope) == gone
    assert run_here(config, [scope])[0] == 0  # the row names this very combiner
    assert lost_combiner(lake_of(root), 0, scope) is None
    load_combiner(folder, committed(root)["real"]["model_digest"])


def test_a_combiner_other_than_the_committed_one_is_committed_in_its_place(tiny, tmp_path):
    root = tiny.write_lake(tmp_path, 60, tiny.scopes[:1])
    run_here(tiny.write_config(root), tiny.scopes[:1])
    before = committed(root)["real"]
    shutil.rmtree(before["path"])
    # As if another machine, whose sums round otherwise, had trained it.
    assert run_here(tiny.write_config(root, learning_rate=0.01), tiny.scopes[:1])[0] == 1
    after = committed(root)["real"]
    assert after["model_digest"] != before["model_digest"]
    load_combiner(after["path"], after["model_digest"])


@pytest.mark.parametrize("users", [0, 20])
def test_with_few_users_or_none_the_mixture_stays_as_it_is(tiny, tmp_path, users):
    root = tiny.write_lake(tmp_path, users, tiny.scopes[:1])
    _, notes = run_here(tiny.write_config(root), tiny.scopes[:1])
    assert f"{users} examples are too few" in notes[0]
    row = committed(root)["real"]
    combiner = load_combiner(row["path"], row["model_digest"])
    mixture = np.array([0.5, 0.125])
    features = np.ones((2, tiny.features), np.float32)
    assert row["examples"] == users
    assert np.array_equal(combiner.combine(mixture, features), mixture)


def test_examples_of_another_run_are_refused(tiny, tmp_path):
    root = tiny.write_lake(tmp_path, 20)
    with pytest.raises(StageError, match="is not of this run; run stage combine again"):
        run_here(tiny.write_config(root), tiny.scopes, "f2")


def test_the_stage_follows_the_job_in_a_process_of_its_own(finished, tiny, tmp_path):
    root = tiny.write_lake(tmp_path)
    config = load_config([tiny.write_config(root)])
    pinned = pinned_run("combine", {"fused": 0}, tiny.scopes, "r1", "f1")
    launch(config, pinned, root / "combine.log", module="llm_i2i_spark.combine")
    for variant, row in committed(finished[0]).items():
        assert committed(root)[variant]["model_digest"] == row["model_digest"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["lake.root=s3://bucket/lake"], "mounted folder"),
        (["i2i.blend.epochz=3"], "did you mean i2i.blend.epochs"),
        (["lake.root=/nowhere/at/all"], "There is no table combiner_examples"),
    ],
)
def test_mistakes_are_one_sentence(settings, sentence, finished, tiny):
    done = tiny.run_job(finished[0] / "config.yaml", "--set", *settings)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_other_than_those_of_the_examples_are_refused(tiny, tmp_path):
    root = tiny.write_lake(tmp_path, 20, settings={"i2i.blend.epochs": 7})
    done = tiny.run_job(tiny.write_config(root))
    assert done.returncode == 2
    assert "i2i.blend.epochs was 7 when the examples were written and is 3" in done.stderr
