"""What `quickstart` prepares: data made once, and a configuration for all other commands."""

from __future__ import annotations

import shlex
from pathlib import Path

from llm_i2i_spark.cli.parser import build_parser
from llm_i2i_spark.cli.quickstart import next_steps, quickstart_config
from llm_i2i_spark.config.files import load_config


def test_a_second_start_finds_the_same_files_and_another_seed_other_ones(tmp_path: Path) -> None:
    first = quickstart_config(str(tmp_path), ["seed=7"])
    log = Path(first.ingest.interactions or "")
    written = log.stat().st_mtime_ns
    assert quickstart_config(str(tmp_path), ["seed=7"]) == first
    assert log.stat().st_mtime_ns == written
    assert quickstart_config(str(tmp_path), []).ingest.interactions != str(log)
    assert log.exists()


def test_the_written_configuration_is_that_of_the_run(tmp_path: Path) -> None:
    config = quickstart_config(str(tmp_path), ["sft.epochs=3"])
    assert config.sft.epochs == 3
    assert config.lake.root == str(tmp_path / "lake")
    assert load_config([tmp_path / "config.yaml"]) == config


def test_the_next_steps_are_commands_that_exist() -> None:
    for line in next_steps("my folder"):
        program, *arguments = shlex.split(line)
        assert program == "llm-i2i"
        build_parser().parse_args(arguments)
