"""What fine-tuning reads beside the lake: the base model, the text encoder, the DeepSpeed file."""

from __future__ import annotations

from pathlib import Path

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.external_input import ExternalInput
from llm_i2i_spark.base.file_digests import digest_files
from llm_i2i_spark.base.stage import OpenSession
from llm_i2i_spark.config.config import Config

MODEL_FILES = frozenset({".safetensors", ".json", ".txt", ".model", ".jinja"})
"""Endings of the files of a model folder that are read."""


def find_model_inputs(
    config: Config, session: OpenSession | None = None
) -> dict[str, ExternalInput]:
    """The present state of the folders and files that fine-tuning reads, by the option that names
    them.

    A model of more than 256 MB counts by the sizes of its files and by samples of their content, so
    that the same model on two machines is the same input. What is not on this machine has an empty
    digest: fine-tuning may run on another one.

    Args:
        config: names them.
        session: not used.
    """
    named = {
        "sft.base_model": config.sft.base_model,
        "sft.text_encoder": config.sft.text_encoder,
        "sft.deepspeed": config.sft.deepspeed,
    }
    return {option: _state(option, Path(path)) for option, path in named.items() if path}


def _state(option: str, path: Path) -> ExternalInput:
    try:
        found = [path] if path.is_file() else [file for file in path.iterdir() if _is_read(file)]
        digest = digest_files({file.name: file for file in found}, with_times=False)
    except FileNotFoundError:
        return ExternalInput("", "not on this machine")
    except OSError as error:
        raise InputDataError(f"{option}={path} cannot be read ({error.strerror}).") from error
    return ExternalInput(digest, str(path))


def _is_read(file: Path) -> bool:
    return file.suffix in MODEL_FILES and file.is_file()
