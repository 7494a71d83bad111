"""`online` on a file: a table for a person, JSON for a program, one sentence for a mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_i2i_spark.cli.main import main
from llm_i2i_spark.datasets.experiment import write_experiment

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_experiment(tmp_path_factory.mktemp("experiment") / "log.parquet", 400, 3)


def test_a_person_reads_a_table(
    spark: object, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["online", str(log)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("control: ")
    assert "users fit the split 0.5 to 0.5" in lines[2]
    named = [line.split(",")[0].split()[0] for line in lines[4:-1]]
    assert named == ["RN", "L2P", "buyers", "CTR", "CVR", "GMV", "latency", "latency", "latency"]


def test_a_program_reads_json_and_names_the_arms(
    spark: object, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = ["--control", "treatment", "--treatment", "control", "--expected-split", "9:1"]
    assert main(["online", str(log), *arms, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["control"] == "treatment"
    assert found["sample_ratio"]["expected"] == [0.9, 0.1]
    assert found["sample_ratio"]["mismatch"] is True
    low, high = found["measures"]["rn"]["control"]["interval"]
    assert low < found["measures"]["rn"]["control"]["value"] < high


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--control", "A"], "The event log has no arm A; it has treatment, control"),
        (["--expected-split", "half"], "--expected-split wants two numbers"),
        (["--expected-split", "1:0"], "two numbers above 0"),
    ],
)
def test_a_mistake_is_one_sentence(
    spark: object,
    log: Path,
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["online", str(log), *arguments]) == 2
    shown = capsys.readouterr().err
    assert words in shown.splitlines()[-1]
    assert "Traceback" not in shown
