"""Roles: they fit together, load without torch, and a further one is one more value."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.sections.sft import SftConfig
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lm.checkpoint import load_checkpoint
from llm_i2i_spark.prompts.templates import Template
from llm_i2i_spark.sft.engine import TrainingPlan
from llm_i2i_spark.sft.roles import DISCRIMINATOR, GENERATOR, ROLES
from llm_i2i_spark.sft.stage import STAGE
from llm_i2i_spark.sft.training import random_numbers

pytestmark = pytest.mark.lm


def test_roles_are_told_apart_and_start_from_earlier_ones():
    assert len({role.name for role in ROLES}) == len(ROLES)
    assert len({role.random_stream for role in ROLES}) == len(ROLES)
    for number, role in enumerate(ROLES):
        assert role.starts_from in {None, *(earlier.name for earlier in ROLES[:number])}
        assert role.export_table in STAGE.reads
        assert TABLES[role.export_table].stage == "export"


def test_what_trained_weights_depend_on_is_as_it_was():
    for number, role in enumerate((GENERATOR, DISCRIMINATOR)):
        assert role.random_stream == number
        plan = TrainingPlan.of_role(role, SftConfig(), seed=7, device=torch.device("cpu"))
        expected = np.random.default_rng([7, number, 1, 5, 3]).integers(2**62)
        assert random_numbers(plan, 1, 5, 3).integers(2**62) == expected


@pytest.mark.parametrize(
    ("layout", "items"), [("sequence", {"generator": 50, "discriminator": 10}), ("instruct", {})]
)
def test_a_generator_of_sequences_reads_as_much_as_it_was_trained_on(layout, items):
    base_model = "folder" if layout == "instruct" else None
    config = Config.model_validate({"sft": {"base_model": base_model}})
    for role in ROLES:
        assert role.max_items(config) == items.get(role.name, 10)


def test_roles_load_neither_torch_nor_spark():
    check = (
        "import sys, llm_i2i_spark.sft.roles;"
        " print([name for name in ('torch', 'transformers', 'pyspark') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_further_role_is_one_more_value(tiny, run_here, tmp_path):
    wording = Template(before="Items:", item="\n- {text}", candidate="", after="\nAnother one?")
    further = replace(
        GENERATOR, name="further", random_stream=99, template=wording, starts_from=GENERATOR.name
    )
    root = tiny.write_lake(tmp_path)
    config = tiny.write_config(root, {"epochs": 2})
    run_here(config, roles=(GENERATOR, DISCRIMINATOR, further))
    folders = {path.name.split("-")[0]: path for path in (root / "checkpoints_files").glob("*-*")}
    assert set(folders) == {"generator", "discriminator", "further"}
    generator, trained = (
        load_checkpoint(folders[role.name], role.template, "cpu") for role in (GENERATOR, further)
    )
    assert trained.manifest["role"] == "further"
    assert trained.digest != generator.digest
