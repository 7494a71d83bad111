"""The programs of the documentation, which are no package."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    """What fills in the generated parts of pages."""
    return _module(DOCS / "hooks.py")


@pytest.fixture(scope="module")
def figures() -> Iterator[ModuleType]:
    """What draws the figures."""
    folder = DOCS / "figures"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield _module(folder / "make.py")


@pytest.fixture(scope="module")
def reproduction_tables() -> ModuleType:
    """What makes the page of the paper's tables."""
    return _module(DOCS / "reproduction_tables.py")
