"""What `quickstart` prepares: data made once, and a configuration for all other commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import llm_i2i_spark
from llm_i2i_spark.cli.quickstart import next_steps, quickstart_config
from llm_i2i_spark.config.files import load_config
from tests.serving.indexes import table_rows, write_lake


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


LISTS = {"i0000": [("i0001", 1.0, None)], "i0240": [("i0002", 1.0, None)]}


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A folder with a lake and a configuration, as a quickstart leaves them under `my work`."""
    (tmp_path / "my work" / "lake").mkdir(parents=True)
    write_lake(tmp_path / "my work" / "lake", table_rows(LISTS))
    lake = tmp_path / "my work" / "lake"
    (tmp_path / "my work" / "config.yaml").write_text(f"lake: {{root: '{lake}'}}\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    script = tmp_path / ".venv" / "bin" / "llm-i2i"
    script.write_text(
        f"#!{sys.executable}\nimport sys\n"
        "from llm_i2i_spark.cli.main import main\nsys.exit(main())\n"
    )
    script.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("started_as", "path", "program"),
    [
        (".venv/bin/llm-i2i", "/usr/bin:/bin", ".venv/bin/llm-i2i"),
        ("{folder}/.venv/bin/llm-i2i", "{folder}/.venv/bin:/usr/bin:/bin", "llm-i2i"),
        ("{folder}/.venv/bin/llm-i2i", "/usr/bin:/bin", "{folder}/.venv/bin/llm-i2i"),
        ("{package}/__main__.py", "/usr/bin:/bin", "{python} -m llm_i2i_spark"),
    ],
)
def test_the_next_steps_work_as_they_stand(
    finished: Path, monkeypatch: pytest.MonkeyPatch, started_as: str, path: str, program: str
) -> None:
    names = {
        "folder": str(finished),
        "package": str(Path(llm_i2i_spark.__file__).parent),
        "python": sys.executable,
    }
    monkeypatch.chdir(finished)
    monkeypatch.setenv("PATH", path.format(**names))
    monkeypatch.setenv("PYTHONPATH", str(Path(llm_i2i_spark.__file__).parents[1]))
    monkeypatch.setattr(sys, "argv", [started_as.format(**names), "quickstart"])
    for line in next_steps("my work"):
        assert line.startswith(f"{program.format(**names)} ")
        done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (finished / "index.parquet").is_file()
