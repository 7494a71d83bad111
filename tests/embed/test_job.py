"""The job on a tiny lake: what it commits, what it keeps, what it does not do twice."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from deltalake import DeltaTable

from llm_i2i_spark.backbones import BACKBONES
from llm_i2i_spark.backbones.embedding.backbone import EmbeddingBackbone
from llm_i2i_spark.backbones.embedding.interaction_matrix import interaction_matrix
from llm_i2i_spark.base.contract import scope_key
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import ConfigError, StageError
from llm_i2i_spark.base.run_record import commit_of, fingerprint_in
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.embed.job import Job
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.training_job.events import Reporter
from llm_i2i_spark.training_job.launch import launch
from tests.backbones.embedding.made_up_log import made_up_log
from tests.stage_runs import pinned_run

pytestmark = pytest.mark.lm
NAMES = [kind.name for kind in BACKBONES if issubclass(kind, EmbeddingBackbone)]


def lake_of(root: Path) -> DeltaRsLake:
    return DeltaRsLake(LakeConfig(root=str(root)))


def vectors(root: Path, scope: dict[str, str]) -> dict[str, list[float]]:
    rows = lake_of(root).read("item_embeddings", None, ["item_id", "embedding"], scope)
    return dict(zip(rows["item_id"].to_pylist(), rows["embedding"].to_pylist(), strict=True))


def units(root: Path, scope: dict[str, str]) -> list[list[list[float]]]:
    """The weights of each unit of each layer."""
    table = DeltaTable(str(root / "user_networks")).to_pyarrow_table(
        filters=[(name, "=", value) for name, value in scope.items()]
    )
    layers: dict[int, list[list[float]]] = {}
    for row in sorted(table.to_pylist(), key=lambda row: (row["layer"], row["unit"])):
        layers.setdefault(row["layer"], []).append(row["weights"])
    return list(layers.values())


def run_here(config: Path, scopes, fingerprint: str = "f1", sink=None) -> tuple[int, list[dict]]:
    """The committed version and the events of a run."""
    settings, events = load_config([config]), []
    pinned = pinned_run("embed", {"fused": 0}, scopes, "r1", fingerprint)
    reporter = Reporter(sink or events.append)
    return Job(settings, pinned, DeltaRsLake(settings.lake), reporter).execute(), events


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory):
    """A lake on which the job ran to its end."""
    root = tiny.write_fused(tmp_path_factory.mktemp("finished"))
    run_here(tiny.write_config(root), tiny.scopes)
    return root


@pytest.mark.parametrize("name", NAMES)
def test_every_scope_has_the_vectors_of_its_own_variant_and_a_record(tiny, tmp_path, name):
    root = tiny.write_fused(tmp_path)
    config = tiny.write_config(root)
    scopes = [{**scope, "backbone": name} for scope in tiny.scopes]
    run_here(config, scopes)
    backbone = load_config([config]).i2i.parameters(name)
    history = lake_of(root).history("item_embeddings")
    schema = DeltaTable(str(root / "item_embeddings")).schema()
    assert [field.name for field in schema.fields] == list(TABLES["item_embeddings"].names)
    assert not any(field.nullable for field in schema.fields)
    for number, scope in enumerate(scopes):
        matrix = interaction_matrix(made_up_log(number))
        learned = backbone.learn(matrix, 3, lambda done, total, note: None)
        found = vectors(root, scope)
        assert list(found) == learned.item_ids.to_pylist()
        assert np.array_equal(np.array(list(found.values()), np.float32), learned.vectors)
        assert [layer.tolist() for layer in learned.layers] == units(root, scope)
        record = commit_of(history, scope).record
        key = scope_key(scope)
        assert record.attributes["model_digests"] == {key: learned.digest}
        assert record.attributes["losses"] == {key: list(learned.losses)}
        assert list(record.scopes) == [key]


def test_the_same_run_again_commits_nothing_and_says_so(finished, tiny):
    before = lake_of(finished).version("item_embeddings")
    version, events = run_here(finished / "config.yaml", tiny.scopes)
    assert version == lake_of(finished).version("item_embeddings") == before
    notes = [event["text"] for event in events if event["kind"] == "note"]
    assert len(notes) == 2
    assert "already holds variant=real,backbone=bpr" in notes[0]


def test_one_scope_is_replaced_and_the_other_stays(tiny, tmp_path):
    root = tiny.write_fused(tmp_path)
    run_here(tiny.write_config(root), tiny.scopes)
    first, second = tiny.scopes
    before = vectors(root, first), vectors(root, second)
    run_here(tiny.write_config(root, epochs=4), [first], "f2")
    assert vectors(root, first) != before[0]
    assert vectors(root, second) == before[1]
    history = lake_of(root).history("item_embeddings")
    assert [fingerprint_in(history, scope) for scope in tiny.scopes] == ["f2", "f1"]


def test_what_was_learned_before_a_failure_is_kept(tiny, tmp_path):
    root = tiny.write_fused(tmp_path)
    first, second = tiny.scopes

    def fail(event: dict) -> None:
        if event["kind"] == "progress" and event["title"] == "bpr of llm_i2i":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_here(tiny.write_config(root), tiny.scopes, sink=fail)
    history = lake_of(root).history("item_embeddings")
    assert [fingerprint_in(history, scope) for scope in tiny.scopes] == ["f1", None]
    kept = vectors(root, first)
    run_here(root / "config.yaml", [second])
    assert vectors(root, first) == kept
    assert vectors(root, second)


def test_the_stage_follows_the_job_in_a_process_of_its_own(finished, tiny, tmp_path):
    root = tiny.write_fused(tmp_path)
    config = load_config([tiny.write_config(root)])
    pinned = pinned_run("embed", {"fused": 0}, tiny.scopes, "r1", "f1")
    launch(config, pinned, root / "embed.log", "llm_i2i_spark.embed")
    for scope in tiny.scopes:
        assert vectors(root, scope) == vectors(finished, scope)


def test_a_cancelled_job_ends_and_commits_nothing(tiny, tmp_path):
    root = tiny.write_fused(tmp_path)
    config = load_config([tiny.write_config(root, epochs=1_000_000)])
    pinned, cancelled = pinned_run("embed", {"fused": 0}, tiny.scopes), threading.Event()
    threading.Timer(3.0, cancelled.set).start()
    with pytest.raises(StageError, match="was cancelled; the same command goes on from there"):
        launch(config, pinned, root / "embed.log", "llm_i2i_spark.embed", cancelled=cancelled)
    assert lake_of(root).version("item_embeddings") is None


def test_a_failure_in_the_job_is_the_stages_own_sentence(tiny, tmp_path):
    root = tiny.write_fused(tmp_path)
    config = load_config([tiny.write_config(root, optimizer="sgd", learning_rate=1e30)])
    pinned = pinned_run("embed", {"fused": 0}, tiny.scopes)
    with pytest.raises(StageError, match=r"Stage embed failed: .* lower i2i.bpr.learning_rate"):
        launch(config, pinned, root / "embed.log", "llm_i2i_spark.embed")


def test_a_backbone_that_learns_no_embeddings_is_refused(tiny, tmp_path):
    root = tiny.write_fused(tmp_path)
    with pytest.raises(ConfigError, match="Backbone swing learns no embeddings"):
        run_here(tiny.write_config(root), [{"variant": "real", "backbone": "swing"}])


def test_the_program_without_a_run_says_which_command_to_type(finished):
    command = [sys.executable, "-m", "llm_i2i_spark.embed", "--config", finished / "config.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "type llm-i2i embed instead" in done.stderr
