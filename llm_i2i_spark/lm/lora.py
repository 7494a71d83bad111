"""Low-rank adapters (LoRA, Hu et al. 2021) of a pretrained backbone, by the library `peft`.

What is trained from scratch stays whole: item embeddings, the projection of their texts and the
label head are no part of the backbone. Merged adapters leave an ordinary backbone behind, so that
whoever reads a checkpoint need not know of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.extras import optional_imports
from llm_i2i_spark.base.sections.sft import LoraAdapters
from llm_i2i_spark.lm.model import ItemLanguageModel

if TYPE_CHECKING:
    from peft import LoraModel


@optional_imports()
def add_adapters(model: ItemLanguageModel, options: LoraAdapters, seed: int) -> LoraModel:
    """Freeze a model's backbone, and give its linear layers adapters that are trained instead: W
    becomes W + alpha/rank·B·A, of which B starts at zero.

    Args:
        model: changed in place.
        options: rank, alpha and layers.
        seed: of A.

    Returns:
        The adapters, whose `merge_and_unload` makes them part of the backbone's own weights.

    Raises:
        ConfigError: the backbone has no layer of a name.
        MissingDependencyError: `peft` is not installed.
    """
    import peft

    _require_layers(model, options)
    adapters = peft.LoraConfig(
        r=options.rank,
        lora_alpha=2 * options.rank if options.alpha is None else options.alpha,  # type: ignore[arg-type]
        target_modules=list(options.target_modules) or "all-linear",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return peft.LoraModel(model.backbone, adapters, "default")


def _require_layers(model: ItemLanguageModel, options: LoraAdapters) -> None:
    """See that every name of `sft.lora.target_modules` is that of a linear layer.

    Raises:
        ConfigError: naming the one that is not, and those that there are.
    """
    from transformers.pytorch_utils import Conv1D

    names = {
        name.rpartition(".")[2]
        for name, module in model.backbone.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D)
    }
    for name in options.target_modules:
        if name not in names:
            raise ConfigError(
                f"sft.lora.target_modules names {name}, and the linear layers of the base model are"
                f" {', '.join(sorted(names))}."
            )
