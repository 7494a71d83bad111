"""A job as a cluster runs it: the wheel built, installed elsewhere, and the job given to a
standalone cluster by spark-submit.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from llm_i2i_spark.config.files import load_config
from tests.spark_daemons import QUICK, standalone_cluster

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the project's wheel, and nothing of this checkout, was installed."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)],
        check=True,
    )
    wheel = next(folder.glob("*.whl"))
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", str(folder / "site"), str(wheel)], check=True
    )
    return folder / "site"


def submit_line(page: Path) -> list[str]:
    """The first command line of a page that gives a job to a cluster."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    return shlex.split(next(line for line in text.splitlines() if line.startswith("spark-submit")))


@pytest.mark.e2e
def test_the_line_of_the_readme_runs_on_a_standalone_cluster_from_the_installed_wheel(
    installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "log.csv").write_text(
        "user_id,item_id,ts\n"
        + "".join(f"u{n % 7},i{n % 5},{1_400_000_000 + n}\n" for n in range(60))
    )
    (tmp_path / "shop.yaml").write_text(
        f"extends: {ROOT / 'conf' / 'cluster.yaml'}\n"
        f"lake: {{root: {tmp_path / 'lake'}}}\n"
        f"ingest: {{interactions: {tmp_path / 'log.csv'}, items: null}}\n"
    )
    shutil.copytree(ROOT / "jobs", tmp_path / "jobs")
    # Without the editable checkout on the path, the package can only come from the installed wheel.
    env = {
        **os.environ,
        "PYTHONPATH": str(installed),
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONSAFEPATH": "1",
    }
    with standalone_cluster(tmp_path, env) as master:
        values = {"spark://HOST:7077": master, "conf/cluster.yaml": "shop.yaml"}
        command, *words = [values.get(word, word) for word in submit_line(ROOT / "README.md")]
        assert {master, "shop.yaml"} < set(words)
        for setting in ("spark.executor.memory=512m", *QUICK):
            words = ["--conf", setting, *words]
        done = subprocess.run(
            [str(Path(sys.executable).with_name(command)), *words],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    said = done.stdout + done.stderr
    assert "using the Spark session that is active" in said
    assert "spark.log" not in said
    assert (tmp_path / "lake" / "sft_generator" / "_delta_log").is_dir()
    (application,) = (tmp_path / "work").iterdir()
    (log,) = application.glob("*/stderr")
    assert "Running task" in log.read_text(encoding="utf-8")
    where = [sys.executable, "-c", "import llm_i2i_spark; print(llm_i2i_spark.__file__)"]
    found = subprocess.run(
        where, cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    ).stdout
    assert found.startswith(str(installed))


@pytest.mark.e2e
def test_the_wheel_holds_what_the_package_reads_at_run_time(installed: Path) -> None:
    package = installed / "llm_i2i_spark"
    assert (package / "py.typed").is_file()
    assert (package / "sft" / "zero2.json").is_file()
    assert list((package / "evaluate" / "report" / "templates").iterdir())


@pytest.mark.parametrize("name", ["base", "local", "cluster", "databricks"])
def test_the_packaged_configurations_are_valid(name: str) -> None:
    assert load_config([ROOT / "conf" / f"{name}.yaml"]).split.protocol == "refit"
