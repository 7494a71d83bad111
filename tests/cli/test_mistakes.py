"""What a user's mistake gets: exit code 2 and one sentence, without a stack trace and mostly
without waiting for Spark.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_i2i_spark.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--set", "sft.alfa=3"], "did you mean sft.alpha"),
        (["run", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (["run"], "lake.root"),
        (
            ["run", "--set", "lake.root=l", "--variants", "real,best"],
            "--variants takes a list of real",
        ),
        (
            ["i2i", "--set", "lake.root=l", "--backbones", "swing,ring"],
            "--backbones takes a list of",
        ),
        (["explain", "--set", "lake.root=l", "--backbones", ","], "--backbones takes a list of"),
        (["run", "--set", "lake.root=l", "--from", "fuze"], "fuze"),
        (
            ["run", "--set", "lake.root=l", "--from", "fuse", "--to", "ingest"],
            "Nothing lies between",
        ),
        (["lookup", "--set", "lake.root=l", "--items", ","], "--items"),
        (["lookup", "--set", "lake.root=l"], "--items"),
        (
            ["lookup", "--set", "lake.root=l", "--item", "a", "--variant", "best"],
            "There is no variant best",
        ),
        (
            ["index-export", "--set", "lake.root=l", "--out", "f", "--backbone", "ring"],
            "There is no backbone ring; the backbones are swing",
        ),
        (["lookup", "--set", "lake.root=l", "--items", " , "], "--items"),
        (["lookup", "--set", "lake.root=l", "--item", "a", "--k", "-1"], "--k must be at least 1"),
        (["lookup", "--set", "lake.root=l", "--item", "a", "--k", "0"], "--k must be at least 1"),
        (
            ["recommend", "--set", "lake.root=l", "--out", "f.parquet", "--k", "0"],
            "--k must be at least 1",
        ),
        (
            [
                "audit",
                "trace",
                "--set",
                "lake.root=l",
                "--item",
                "a",
                "--neighbor",
                "b",
                "--users",
                "0",
            ],
            "--users must be at least 1",
        ),
        (["recommend", "--set", "lake.root=l", "--out", "/tmp"], "/tmp is a folder; name a file"),
        (
            ["recommend", "--set", "lake.root=l", "--out", "/dev/null/f.parquet"],
            "since /dev/null is a file",
        ),
        (
            ["index-export", "--set", "lake.root=l", "--out", "/tmp"],
            "/tmp is a folder; name a file",
        ),
        (
            ["index-export", "--set", "lake.root=l", "--out", "/dev/null/f.parquet"],
            "since /dev/null is a file",
        ),
        (["config", "--set", "seed=99999999999999999999"], "seed: Input should be less than"),
        (["config", "--set", "sft.alpha=nan"], "finite"),
        (["online", "nowhere.parquet"], "There is no file nowhere.parquet; name a log with"),
        (["online", "f", "--expected-split", "1"], "--expected-split wants two numbers"),
        (["replay", "--set", "lake.root=l", "--k", "0"], "--k must be at least 1"),
        (["replay", "--set", "lake.root=l", "--events", ","], "--events wants at least one"),
        (["evaluate-index", "nowhere.parquet", "--set", "lake.root=l"], "nowhere.parquet"),
        (["evaluate-index", "f", "f", "--set", "lake.root=l"], "An index file is there twice"),
        (["evaluate-index", "f", "--slices", "all,old"], "There is no slice old; choose from all"),
        (["evaluate-index", "f", "--slices", ","], "There is no slice named; choose from"),
        (
            ["evaluate-index", "f", "--tie-seeds", "one", "--set", "lake.root=l"],
            "--tie-seeds wants whole numbers",
        ),
        (
            ["evaluate-index", "f", "--tie-seeds", "1,1", "--set", "lake.root=l"],
            "one seed each, such as 1,2,3",
        ),
        (
            ["evaluate-index", "f", "--tie-seeds", "1", "--baseline", "f", "--set", "lake.root=l"],
            "--tie-seeds shows none; give one",
        ),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert "Traceback" not in shown
    assert shown.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.spark
@pytest.mark.parametrize(
    ("log", "words"),
    [
        (None, "nowhere"),
        ("user_id,item_id,ts\n", "log"),
        ("person,item_id,ts\nu,i,1\n", "user_id"),
    ],
)
def test_a_bad_log_is_one_sentence_and_no_table(
    log: str | None, words: str, spark: object, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / ("nowhere.csv" if log is None else "log.csv")
    if log is not None:
        path.write_text(log)
    assert (
        main(
            [
                "run",
                "--variants",
                "real",
                "--set",
                f"lake.root={tmp_path / 'lake'}",
                "--set",
                f"ingest.interactions={path}",
            ]
        )
        == 2
    )
    shown = capsys.readouterr().err
    assert words in shown.lower() or words in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "lake" / "interactions").exists()
