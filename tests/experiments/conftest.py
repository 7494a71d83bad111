"""A lake of 150 users on which the experiments run for real, with a tiny model."""

from __future__ import annotations

from typing import Any

import pytest

from llm_i2i_spark import Project
from llm_i2i_spark.datasets.tables import write_synthetic
from tests.e2e.conftest import TINY


@pytest.fixture(scope="package")
def shop(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project without a run. Its models never see the validation fold, so that sweeps on that
    fold and tables on the test fold can share them.
    """
    folder = tmp_path_factory.mktemp("shop")
    interactions, items = write_synthetic(folder, 150, 120, 7)
    settings = dict(setting.split("=") for setting in TINY if not setting.startswith("spark."))
    given = {**settings, "split.protocol": "strict", "evaluate.ks": (5, 10)}
    return Project(folder / "lake", interactions=interactions, items=items, settings=given)
