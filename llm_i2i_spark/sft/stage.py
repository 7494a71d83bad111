"""Stage sft: what it reads and what its results depend on; `execute` does the work."""

from __future__ import annotations

import os
from collections.abc import Sequence

from llm_i2i_spark.base.contract import Scope
from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.extras import require_packages
from llm_i2i_spark.base.stage import Stage
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.sft.model_inputs import find_model_inputs
from llm_i2i_spark.sft.saved_checkpoints import lost_checkpoint


def _at_once(config: Config) -> int:
    """A compact model trains on one core; a base model, or several ranks, have all of them."""
    sft = config.sft
    if sft.base_model is not None or sft.nproc_per_node > 1 or sft.executor_ranks:
        return 1
    return os.cpu_count() or 1


def check_lora(config: Config) -> None:
    """See that low-rank adapters are asked for where there is something to adapt, and installed.

    Raises:
        ConfigError: the compact model has nothing that it was pretrained on.
        MissingDependencyError: `peft` is not installed.
    """
    if not config.sft.lora.rank:
        return
    if config.sft.base_model is None:
        raise ConfigError(
            f"sft.lora.rank={config.sft.lora.rank} adapts a pretrained model, and the compact one"
            " is trained from scratch: set sft.base_model, or sft.lora.rank=0."
        )
    require_packages("lora")


def _prepare(config: Config, scopes: Sequence[Scope]) -> None:
    require_packages("sft")
    check_lora(config)


STAGE = Stage(
    name="sft",
    reads=("sft_generator", "sft_discriminator", "items"),
    settings=(
        "sft",
        "export.history_length",
        "export.negatives",
        "export.hard_negatives_from",
        "export.hard_negatives_share",
        "generate.per_user",
    ),
    code=("sft", "lm", "prompts", "base/manifest", "metrics/reliability"),
    code_with_imports=("kernels/swing", "kernels/grouping"),
    external_inputs=find_model_inputs,
    lost=lost_checkpoint,
    prepare=_prepare,
    at_once=_at_once,
)
