"""Fine-tuning as tasks of Spark: two ranks train as one process, and a mistake is told once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from llm_i2i_spark.base.errors import ConfigError, StageError
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.executor_ranks import EXECUTOR_GPUS, ExecutorRanks
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.sft.stage import STAGE
from tests.stage_runs import run_stage

pytestmark = [pytest.mark.lm, pytest.mark.spark]


def fine_tune(spark: Any, config_file: Path) -> None:
    config = load_config([config_file])
    reads = dict.fromkeys(STAGE.reads, 0)
    run_stage(STAGE, Lake(spark, config.lake), config, reads, [{"branch": "base"}])


def weights(root: Path) -> dict[str, torch.Tensor]:
    """Of both models, by role, file and name."""
    rows = DeltaRsLake(LakeConfig(root=str(root))).read("checkpoints", 0, ["role", "path"])
    return {
        f"{row['role']} {file.name} {name}": tensor
        for row in rows.to_pylist()
        for file in sorted(Path(row["path"]).rglob("*.safetensors"))
        for name, tensor in load_file(file).items()
    }


def test_two_of_them_train_like_one_process_with_two_accumulation_steps(
    spark, tiny, run_here, tmp_path
):
    one, two = tiny.write_lake(tmp_path / "one"), tiny.write_lake(tmp_path / "two")
    run_here(tiny.write_config(one, {"epochs": 4}))
    ranks = {"epochs": 4, "executor_ranks": 2, "accumulation_steps": 1}
    fine_tune(spark, tiny.write_config(two, ranks))
    alone, together = weights(one), weights(two)
    assert alone.keys() == together.keys()
    for name, tensor in alone.items():
        torch.testing.assert_close(together[name], tensor, rtol=0, atol=2e-4, msg=name)
    assert list((two / "_staging").iterdir()) == []


def test_a_mistake_is_told_once(spark, tiny, tmp_path):
    root = tiny.write_lake(tmp_path)
    config = {"learning_rate": 1e38, "warmup_share": 0.0, "executor_ranks": 2}
    with pytest.raises(StageError, match=r"loss is not a number in epoch 1.*sft\.log"):
        fine_tune(spark, tiny.write_config(root, config))
    assert not (root / "checkpoints").exists()
    assert (root / "sft.log").read_text().count("loss is not a number") == 2  # once a rank


def test_gpus_that_no_task_gets_are_named(spark, tmp_path):
    spark.conf.set(EXECUTOR_GPUS, "1")
    try:
        with pytest.raises(ConfigError, match=r"spark\.task\.resource\.gpu\.amount=1"):
            ExecutorRanks(spark, tmp_path, 2)
    finally:
        spark.conf.unset(EXECUTOR_GPUS)
