"""The metrics need NumPy alone, and their examples are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

import llm_i2i_spark.metrics as package

MODULES = [package.__name__] + [
    f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)
]


def test_importing_every_metric_loads_neither_spark_nor_a_compiler() -> None:
    code = (
        f"import sys, {', '.join(MODULES)};"
        " print(sorted({'pyspark', 'numba', 'torch', 'pandas'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
