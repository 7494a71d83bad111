"""What a result was computed with beyond its inputs and options: libraries, processor, GPUs.

With others, sums of floating-point numbers may end otherwise.
"""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = (
    "numpy",
    "numba",
    "scipy",
    "scikit-learn",
    "pyarrow",
    "pyspark",
    "torch",
    "transformers",
    "deepspeed",
    "peft",
)
"""Distributions that results are computed with."""
CPU_INFO, GPUS = Path("/proc/cpuinfo"), Path("/proc/driver/nvidia/gpus")
NONE = "none"


@cache
def environment() -> dict[str, str]:
    """Versions by library, and `cpu` and `gpu` of the machine of this process: of a cluster that of
    the driver.
    """
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {**found, "cpu": _cpu(), "gpu": _gpu()}


def changes_since(before: dict[str, str], after: dict[str, str]) -> tuple[str, ...]:
    """What is another one than before, a sentence each, by name; empty where nothing is.

    Args:
        before: of a run record; empty where it names none.
        after: of `environment`.

    Examples:
        >>> changes_since({"torch": "2.12", "gpu": "none"}, {"torch": "2.13", "gpu": "none"})
        ('torch was 2.12 and is 2.13',)
    """
    return tuple(
        f"{name} was {before.get(name, NONE)} and is {after.get(name, NONE)}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


def _cpu() -> str:
    return _value(CPU_INFO, "model name") or platform.machine()


def _gpu() -> str:
    """The kinds of NVIDIA's GPUs, without a library of theirs."""
    files = sorted(GPUS.glob("*/information")) if GPUS.is_dir() else []
    kinds = sorted({_value(one, "Model") or "unknown" for one in files})
    return ", ".join(kinds) or NONE


def _value(file: Path, name: str) -> str | None:
    """What follows a name and a colon in a file of the kernel; None where it does not say."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((one.partition(":")[2].strip() for one in lines if one.startswith(name)), None)
