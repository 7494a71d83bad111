"""The lock with hashes, the bill of materials, and a wheel that is the same whoever builds it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="ascii")
LOCKED = re.compile(r"^([a-z0-9-]+)==(\S+) --hash=sha256:([0-9a-f]{64})$", re.MULTILINE)


def _with_those_it_brings(extra: str) -> set[str]:
    requirements = " ".join(PROJECT["optional-dependencies"][extra])
    brought = re.findall(r"llm-i2i-spark\[([\w,]+)\]", requirements)
    names = {name for found in brought for name in found.split(",")}
    return {extra}.union(*map(_with_those_it_brings, names))


def _output_of(script: str, given: dict[str, Any], **environment: str) -> str:
    return subprocess.run(
        [sys.executable, str(ROOT / ".ci" / script)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    ).stdout


def test_the_locked_versions_are_those_that_are_asked_for() -> None:
    wanted = [Requirement(one) for one in PROJECT["dependencies"]]
    for extra in _with_those_it_brings("dev"):
        wanted += [Requirement(one) for one in PROJECT["optional-dependencies"][extra]]
    locked = {name: version for name, version, _ in LOCKED.findall(CONSTRAINTS)}
    for one in wanted:
        if one.name != PROJECT["name"]:
            assert one.specifier.contains(locked[canonicalize_name(one.name)]), one


def test_every_line_of_the_lock_is_a_version_and_a_hash_and_no_address() -> None:
    lines = [line for line in CONSTRAINTS.splitlines() if not line.startswith("#")]
    assert len(lines) == len(LOCKED.findall(CONSTRAINTS))
    assert not re.search(r"://|@|--(?:extra-)?index|--find-links", CONSTRAINTS)


def test_a_lock_is_made_from_what_pip_would_install() -> None:
    archive = {"url": "https://user:secret@host/a.whl", "archive_info": {"hashes": {}}}
    archive["archive_info"]["hashes"]["sha256"] = 64 * "b"
    report = {
        "environment": {
            "python_version": "3.12",
            "platform_system": "Linux",
            "platform_machine": "aarch64",
        },
        "install": [
            {"metadata": {"name": "Some_Thing", "version": "2"}, "download_info": archive},
            {"metadata": {"name": "own", "version": "1"}, "download_info": {"dir_info": {}}},
        ],
    }
    written = _output_of("constraints.py", report)
    assert LOCKED.findall(written) == [("some-thing", "2", 64 * "b")]
    assert "on Python 3.12, Linux aarch64" in written
    assert "host" not in written


def test_the_bill_of_materials_names_the_jars_that_were_fetched(tmp_path: Path) -> None:
    pytest.importorskip("cyclonedx")
    jars = tmp_path / ".ivy2.5.2" / "jars"
    jars.mkdir(parents=True)
    (jars / "io.delta_delta-spark_4.2_2.13-4.4.0.jar").write_bytes(b"code")
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": []}
    (found,) = json.loads(_output_of("sbom.py", bill, HOME=str(tmp_path)))["components"]
    assert found["purl"] == "pkg:maven/io.delta/delta-spark_4.2_2.13@4.4.0"
    assert found["hashes"][0]["content"] == hashlib.sha256(b"code").hexdigest()


@pytest.mark.e2e
def test_two_builds_of_the_wheel_are_equal_to_the_byte(tmp_path: Path) -> None:
    built = []
    for zone in ("UTC", "Pacific/Auckland"):
        folder = tmp_path / zone.replace("/", "-")
        subprocess.run(
            [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
            check=True,
            capture_output=True,
            env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000", "TZ": zone},
        )
        (wheel,) = folder.glob("*.whl")
        built.append((wheel.name, hashlib.sha256(wheel.read_bytes()).hexdigest()))
    assert built[0] == built[1]
