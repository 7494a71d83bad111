"""The discriminator in SQL, where it reads titles; `test_run` has one that reads item tokens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from llm_i2i_spark import Project
from llm_i2i_spark.base.errors import TableNotFoundError
from llm_i2i_spark.config.files import load_config
from tests.e2e.scored_in_sql import expect_what_the_stage_gave
from tests.lm.conftest import base_model_folder, tiny_tokenizer  # noqa: F401

pytestmark = [pytest.mark.spark, pytest.mark.lm]


def test_a_model_that_reads_titles_finds_them(
    raw_files: Any,
    spark: SparkSession,
    tmp_path: Path,
    base_model_folder: Callable[[str], Path],  # noqa: F811
) -> None:
    base = base_model_folder("llama")
    chat = (f"sft.base_model={base}", "sft.max_length=256", "export.history_length=5")
    settings = raw_files.arguments(tmp_path / "lake", "sft.epochs=1", *chat)[1::2]
    project = Project(config=load_config([], settings))
    project.run(last="discriminate")
    expect_what_the_stage_gave(project)


def test_without_a_discriminator_the_stage_is_named(tmp_path: Path, spark: SparkSession) -> None:
    with pytest.raises(TableNotFoundError, match="checkpoints"):
        Project(tmp_path / "lake").register_confidence()
