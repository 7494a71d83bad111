"""Models outside the lake, in the state in which a run finds them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.external_input import ExternalInput
from llm_i2i_spark.base.file_digests import digest_files

MODEL_FILES = frozenset({".safetensors", ".json", ".txt", ".model", ".jinja"})
"""Endings of the files of a model folder that are read."""


def find_model_files(named: Mapping[str, str | None]) -> dict[str, ExternalInput]:
    """The present state of the folders and files that some options name, by option.

    A model of more than 256 MB counts by the sizes of its files and by samples of their content, so
    that the same model on two machines is the same input. What is not on this machine has an empty
    digest: it may be read on another one.

    Args:
        named: path of a model's folder, or of a file, by the option that names it; options that
            name none are left out.

    Raises:
        InputDataError: a folder or file cannot be read.
    """
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
