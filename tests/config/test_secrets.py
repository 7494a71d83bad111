"""A configuration with secrets: nothing that is shown, recorded or handed to a job has them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.redaction import MASK
from llm_i2i_spark.cli.main import main
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.evaluate.report.page import settings_shown
from tests.stage_runs import record_of

CANARY = "c4n4ry"
SECRETS = [
    f"spark.conf={{spark.hadoop.fs.s3a.secret.key: {CANARY}, spark.x: 's3a://k:{CANARY}@b'}}",
    f"ingest.interactions=ftp://key:{CANARY}@host/log",
    f"ingest.items=https://host/items.csv?sig={CANARY}",
]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config([], [f"lake.root={tmp_path / 'lake'}", *SECRETS])


def arguments(*settings: str) -> Iterator[str]:
    for setting in settings:
        yield from ("--set", setting)


def test_they_work_and_are_not_shown(config: Config) -> None:
    assert config.spark.conf["spark.hadoop.fs.s3a.secret.key"] == CANARY
    assert config.ingest.interactions == f"ftp://key:{CANARY}@host/log"
    for shown in (repr(config), str(config.spark), settings_shown(config)):
        assert MASK in shown
        assert CANARY not in shown
    assert CANARY not in record_of(config, "interactions").to_json()
    assert CANARY not in json.dumps(config.settings("ingest"))


def test_a_new_password_is_no_new_result_and_a_job_computes_the_same(config: Config) -> None:
    other = load_config([], [one.replace(CANARY, "other") for one in SECRETS])
    assert other.digest() == config.digest() == config.without_secrets().digest()
    elsewhere = load_config(base=config, overrides={"ingest.interactions": "ftp://other/log"})
    assert elsewhere.digest() != config.digest()


def test_the_command_config_masks_them_and_a_mask_is_no_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for form in ([], ["--json"]):
        assert main(["config", *form, *arguments(*SECRETS)]) == 0
        out = capsys.readouterr().out
        assert out.count(MASK) == len(SECRETS) + 1
        assert CANARY not in out
    (tmp_path / "mine.yaml").write_text(out)
    assert main(["config", "--config", str(tmp_path / "mine.yaml")]) == 2
    assert "put the real one there" in capsys.readouterr().err


@pytest.mark.parametrize(
    "mistake",
    [
        f"spark={{conf: {{fs.secret.key: [{CANARY}]}}}}",
        f"spark.conf={{fs.secret.key: {{a: {CANARY}}}}}",
        f"spark.conf={{fs.secret.key: {CANARY}",
        f"spark.conf.fs.secret.key:{CANARY}",
        f"spark.conf.fs.secret.key={CANARY}\0",
        f"ingest=s3a://k:{CANARY}@b",
        f"lake.retention_days=s3a://k:{CANARY}@b",
        f"lake.schema=s3a://k:{CANARY}@b",
        f"ingest.session_gap=password={CANARY}",
        f"sft={{secret: {CANARY}}}",
        f"ingest.interactions=s3a://key:{CANARY}@bucket/log",
        f"lake.root=s3a://key:{CANARY}@bucket",
        f"no.such.option=s3a://k:{CANARY}@b",
    ],
)
def test_no_mistake_brings_them_to_light(
    mistake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [f"lake.root={tmp_path}"] * (not mistake.startswith("lake")) + [mistake]
    assert main(["explain", *arguments(*settings)]) == 2
    said = capsys.readouterr()
    assert CANARY not in said.out + said.err
    assert said.err.startswith("llm-i2i: ")


SLEEPER = "import time\ntime.sleep(120)\n"
LAUNCHER = """
import sys
from pathlib import Path
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.training_job.launch import launch
from tests.stage_runs import pinned_run
launch(load_config(sys.argv[1:]), pinned_run("sft"), Path("sft.log"), "sleeper")
"""


def test_a_job_has_none_in_its_arguments_and_leaves_none_when_its_launcher_is_killed(
    tmp_path: Path,
) -> None:
    work, temporary = tmp_path / "work", tmp_path / "tmp"
    work.mkdir()
    temporary.mkdir()
    (work / "sleeper.py").write_text(SLEEPER)
    settings = load_config([], SECRETS).model_dump(mode="json", by_alias=True, exclude_unset=True)
    (tmp_path / "mine.yaml").write_text(json.dumps(settings))
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path / "mine.yaml")],
        cwd=work,
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": f"{root}:{work}"},
    )
    try:
        until = time.monotonic() + 60
        while not list(temporary.rglob("run.json")) or not psutil.Process(process.pid).children():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        (job,) = psutil.Process(process.pid).children()
        assert "sleeper" in job.cmdline()
        assert CANARY not in " ".join(job.cmdline())
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    job.kill()
    (left,) = temporary.rglob("config.yaml")
    assert MASK in left.read_text()
    assert not any(
        CANARY in file.read_text(errors="replace")
        for folder in (temporary, work)
        for file in folder.rglob("*")
        if file.is_file()
    )


@pytest.mark.parametrize(
    "name", ["a`; DROP TABLE x; --", "a\n", "a.b.c.d", "../a", "parquet.`/etc`", "a b", ""]
)
def test_a_schema_is_a_name_and_nothing_else(name: str) -> None:
    from llm_i2i_spark.base.sections.lake import LakeConfig
    from llm_i2i_spark.ingest.paths import is_table_name
    from llm_i2i_spark.lake.location import require_location

    with pytest.raises(ConfigError):
        require_location(LakeConfig(schema=name))
    assert not is_table_name(name)
