"""The asset bundle of `conf/databricks`: its commands exist, its numbers and requirements are those
of the configuration and of the wheel.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from llm_i2i_spark.cli.parser import build_parser
from llm_i2i_spark.config.files import load_config

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "conf" / "databricks"
GPUS = {"g5.12xlarge": 4}
"""By node type, as its vendor says."""


def _job() -> dict[str, Any]:
    workflow = yaml.safe_load((BUNDLE / "job.yml").read_text(encoding="utf-8"))
    job: dict[str, Any] = workflow["resources"]["jobs"]["llm_i2i"]
    return job


def _clusters() -> dict[str, dict[str, Any]]:
    return {one["job_cluster_key"]: one["new_cluster"] for one in _job()["job_clusters"]}


def _packages() -> set[str]:
    libraries = [one for task in _job()["tasks"] for one in task["libraries"]]
    return {one["pypi"]["package"] for one in libraries if "pypi" in one}


def test_the_tasks_are_commands_that_exist() -> None:
    commands = []
    for task in _job()["tasks"]:
        assert task["job_cluster_key"] in _clusters()
        job = task["spark_python_task"]
        assert (BUNDLE / job["python_file"]).resolve().is_file()
        parsed = build_parser().parse_args(job["parameters"])
        commands.append(parsed.command)
        settings = [one.split("=")[0] for one in parsed.set]
        # Whatever its stages read, a task without the root would work in another lake.
        assert "lake.root" in settings
    assert commands == ["run", "run", "run", "serve-index"]


def test_a_rank_has_a_gpu_of_the_driver() -> None:
    node = _clusters()["gpu"]["node_type_id"]
    assert load_config([ROOT / "conf" / "databricks.yaml"]).sft.nproc_per_node == GPUS[node]


def test_packages_beside_the_wheel_are_those_of_its_extras() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert _packages()
    assert set(re.findall(r'"([^"]+)"', pyproject)) >= _packages()
    assert not any("==" in one or one.startswith(("pyspark", "delta")) for one in _packages())
