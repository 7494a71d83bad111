"""A stage as a cluster runs it: the wheel built, installed elsewhere, and the job given to
spark-submit; the workflow of `conf/databricks` calls commands that exist.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from llm_i2i_spark.cli.parser import build_parser
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.session import delta_package

ROOT = Path(__file__).resolve().parents[2]
DELTA = (
    "spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.ui.enabled=false",
    "spark.sql.shuffle.partitions=2",
    "spark.databricks.delta.snapshotPartitions=2",
    "spark.sql.codegen.wholeStage=false",
    "spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
)


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


@pytest.mark.e2e
def test_ingest_runs_by_spark_submit_from_the_installed_wheel(
    installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "log.csv").write_text(
        "user_id,item_id,ts\n"
        + "".join(f"u{n % 7},i{n % 5},{1_400_000_000 + n}\n" for n in range(60))
    )
    job = shutil.copy(ROOT / "jobs" / "llm_i2i.py", tmp_path)
    config = tmp_path / "cluster.yaml"
    config.write_text(
        f"lake: {{root: {tmp_path / 'lake'}}}\ningest: {{interactions: {tmp_path / 'log.csv'}}}\n"
    )
    submit = [
        str(Path(sys.executable).with_name("spark-submit")),
        "--master",
        "local[2]",
        "--packages",
        delta_package(),
    ]
    for setting in DELTA:
        submit += ["--conf", setting]
    # Without the editable checkout on the path, the package can only come from the installed wheel.
    env = {
        **os.environ,
        "PYTHONPATH": str(installed),
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONSAFEPATH": "1",
    }
    done = subprocess.run(
        [*submit, job, "ingest", "--config", str(config), "--json"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert '"stage": "ingest"' in done.stdout
    assert (tmp_path / "lake" / "interactions" / "_delta_log").is_dir()
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


def test_the_databricks_tasks_are_commands_that_exist() -> None:
    workflow = yaml.safe_load((ROOT / "conf" / "databricks" / "job.yml").read_text())
    tasks = [
        task["spark_python_task"] for task in workflow["resources"]["jobs"]["llm_i2i"]["tasks"]
    ]
    assert len(tasks) == 3
    for task in tasks:
        assert (ROOT / "conf" / "databricks" / task["python_file"]).resolve().is_file()
        assert build_parser().parse_args(task["parameters"]).command == "run"


@pytest.mark.parametrize("name", ["base", "local", "cluster", "databricks"])
def test_the_packaged_configurations_are_valid(name: str) -> None:
    assert load_config([ROOT / "conf" / f"{name}.yaml"]).split.protocol == "refit"
