"""What a result was computed with, and what of it is another one."""

from __future__ import annotations

import platform

import numpy as np
import pytest

from llm_i2i_spark.base import environment as module
from llm_i2i_spark.base.environment import changes_since, environment


def test_libraries_and_machine_are_named_and_equal_ones_are_no_change() -> None:
    found = environment()
    assert (found["python"], found["numpy"]) == (platform.python_version(), np.__version__)
    assert found["cpu"]
    assert changes_since(found, environment()) == ()


def test_a_library_that_came_or_went_is_a_change() -> None:
    before, after = {"numpy": "1", "deepspeed": "2"}, {"numpy": "1", "torch": "3"}
    assert changes_since(before, after) == (
        "deepspeed was 2 and is none",
        "torch was none and is 3",
    )


def test_kinds_of_gpus_are_read_from_the_driver_of_the_kernel(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "GPUS", tmp_path / "gpus")
    environment.cache_clear()
    assert environment()["gpu"] == "none"
    for number in (0, 1):
        folder = tmp_path / "gpus" / str(number)
        folder.mkdir(parents=True)
        (folder / "information").write_text(f"Model: \t\t NVIDIA H100\nIRQ: {number}\n")
    environment.cache_clear()
    assert environment()["gpu"] == "NVIDIA H100"
    environment.cache_clear()


@pytest.fixture(autouse=True, scope="module")
def _fresh():
    yield
    environment.cache_clear()
