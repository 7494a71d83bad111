"""From arguments to exit code: what needs no Spark loads none, and a closed pipe is no error."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from llm_i2i_spark.cli.main import main
from llm_i2i_spark.cli.options import STAGES
from llm_i2i_spark.cli.parser import build_parser

COMMANDS = (
    ["quickstart", "--workdir", "w", "--backbones", "swing,bm25"],
    ["run", "--from", "i2i", "--to", "evaluate", "--variants", "real", "--backbones", "bm25"],
    *([stage, "--variants", "real", "--backbones", "bm25", "--force"] for stage in STAGES),
    ["explain", "--from", "i2i", "--variants", "real"],
    ["lookup", "--items", "A,B", "--k", "3", "--variant", "real", "--version", "4"],
    ["lookup", "--item", "A,1", "--item", "B", "--backbone", "bm25"],
    ["index-export", "--out", "f.parquet", "--version", "4"],
    ["evaluate-index", "f.parquet"],
    ["compare", "--variants", "real,llm_i2i", "--backbones", "swing", "--baseline", "real/swing"],
    ["online", "log.csv", "--control", "A", "--treatment", "B", "--expected-split", "9:1"],
    ["replay", "--variants", "real", "--backbones", "swing", "--k", "50", "--events", "purchase"],
    ["serve-index", "--variants", "llm_i2i", "--backbones", "swing,bm25"],
    ["recommend", "--k", "20", "--out", "users.parquet", "--variant", "real"],
    ["publish", "redis://localhost:6379/0", "--variant", "real", "--version", "4"],
    ["rollback", "redis://localhost:6379/0"],
    ["audit", "runs"],
    ["audit", "trace", "--item", "A", "--neighbor", "B", "--users", "5", "--version", "4"],
    ["audit", "trace", "--user", "u", "--entries", "5", "--variant", "real"],
    ["audit", "diff"],
    ["audit", "diff", "3", "20261121T054410-3f9c", "--examples", "2"],
    ["audit", "verify", "--quick"],
    ["audit", "rollback", "20261121T054410-3f9c", "--table", "item_index", "--yes"],
    ["audit", "rollback", "--version", "3"],
    ["audit", "replay", "20261121T054410-3f9c", "--stage", "fuse", "--other-code"],
    ["config"],
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_every_command_takes_settings_and_json(arguments: list[str]) -> None:
    options = build_parser().parse_args(
        [*arguments, "--set", "seed=1", "--set", "i2i.top_k=9", "--json"]
    )
    assert (options.set, options.json) == (["seed=1", "i2i.top_k=9"], True)
    assert callable(options.execute)


def test_the_stages_of_the_pipeline_are_commands_in_its_order() -> None:
    from llm_i2i_spark.pipeline.stages import STAGE_NAMES

    assert STAGES == STAGE_NAMES


def test_a_click_with_a_comma_in_its_id_is_one_click() -> None:
    options = build_parser().parse_args(["lookup", "--items", "A,B", "--item", "C,1"])
    assert (options.items, options.item) == ("A,B", ["C,1"])


def test_the_printed_configuration_explains_its_options_and_is_read_back_as_it_is(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    settings = ["--set", "sft.alpha=7", "--set", "spark.conf={a.b: 'c: d'}"]
    assert main(["config", *settings]) == 0
    printed = capsys.readouterr().out
    assert "  # loss weight of long-tail targets\n  alpha: 7.0\n" in printed
    assert max(map(len, printed.splitlines())) <= 110
    assert main(["config", "--json", *settings]) == 0
    values = json.loads(capsys.readouterr().out)
    assert yaml.safe_load(printed) == values
    (tmp_path / "printed.yaml").write_text(printed)
    assert main(["config", "--json", "--config", str(tmp_path / "printed.yaml")]) == 0
    assert json.loads(capsys.readouterr().out) == values


def test_what_only_reads_loads_no_spark_and_leaves_no_file(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from llm_i2i_spark.cli.main import main\n"
        "assert main(['config']) == 0\n"
        "for arguments in (['--help'], ['--version'], ['run', '--help']):\n"
        "    try:\n"
        "        main(arguments)\n"
        "    except SystemExit as end:\n"
        "        assert end.code == 0\n"
        "heavy = {'pyspark', 'torch', 'numba', 'pandas', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL
    )
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_stops_reading_ends_the_command_in_silence() -> None:
    command = subprocess.Popen(
        [sys.executable, "-m", "llm_i2i_spark", "config"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert command.stdout is not None
    command.stdout.close()
    _, error = command.communicate()
    assert (command.returncode, error) == (141, b"")


def test_a_full_disk_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["config"]) == 2
        monkeypatch.undo()
    shown = capsys.readouterr().err
    assert shown.startswith("llm-i2i: The disk is full: make room and give the same command again")
    assert shown.count("\n") == 1


def test_an_unexpected_error_is_one_line_that_names_the_log_with_its_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with Path("/dev/null").open("w") as closed:
        pass
    monkeypatch.setattr(sys, "stdout", closed)
    assert main(["config"]) == 1
    monkeypatch.undo()
    shown = capsys.readouterr().err
    assert shown.startswith("llm-i2i: Unexpected ValueError: I/O operation on closed file")
    assert shown.count("\n") == 1
    (log,) = tmp_path.iterdir()
    assert f"(the whole of it is in {log})" in shown
    assert log.read_text().startswith("Traceback")
