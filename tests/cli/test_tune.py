"""`llm-i2i tune`: mistakes are one sentence before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_i2i_spark.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ndgc@10"], "did you mean ndcg"),
        (["ndcg@10", "--variant", "reel"], "did you mean real"),
        (["ndcg@10", "--variant", "real_served"], "is no variant to search"),
        (["ndcg@10", "--backbone", "ring"], "There is no backbone 'ring'"),
        (["ndcg@10", "--trials", "0"], "--trials must be at least 1"),
        (["ndcg@10", "--space", "swing.c=0:1"], "no option swing.c to search"),
        (["ndcg@10", "--space", "swing.b=1:0"], "is empty"),
        (["ndcg@10", "--space", "evaluate.target=test,valid"], "on the validation fold alone"),
        (["ndcg@10", "--space", "nowhere.yaml"], "no search space in nowhere.yaml"),
        (["ndcg@10", "--space", "swing.b=0:1", "--variant", "real", "--backbone", "bm25"], "bm25"),
        (["ndcg@10", "--set", "split.holdout=last_1"], "set it to last_2"),
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
    log = ["--set", "lake.root=l", "--set", "ingest.interactions=clicks.csv"]
    assert main(["tune", *arguments, *log]) == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert "Traceback" not in shown
    assert shown.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
