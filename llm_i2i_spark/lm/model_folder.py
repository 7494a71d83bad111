"""Checks of a model folder before anything in it is loaded: it must be free of code, and whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from transformers.utils import logging

from llm_i2i_spark.base.errors import InputDataError

PICKLE_SUFFIXES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"})
_PICKLE_OR_ZIP = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")


def check_model_folder(folder: Path) -> None:
    """Refuse a Hugging Face model folder that contains code, has no safetensors or torn ones, or
    names other files or files outside itself.

    Pickled weights beside safetensors are accepted, since they are never opened.

    Raises:
        InputDataError: with the reason and what to do.
    """
    if not (folder / "config.json").is_file():
        raise InputDataError(
            f"{folder} is not a model folder, since it has no config.json: give the directory of a"
            " Hugging Face model."
        )
    for path in sorted(folder.rglob("*.py")):
        raise InputDataError(
            f"{folder} brings code ({path.name}), and no code of a model is ever run: use a model"
            " without it."
        )
    for path in sorted(folder.glob("*.json")):
        if "auto_map" in _json_object(path):
            raise InputDataError(
                f"{folder} asks for code of its own (auto_map in {path.name}): use a model that"
                " needs none."
            )
    if not any(folder.glob("*.safetensors")):
        raise InputDataError(
            f"{folder} has no safetensors weights, and pickled weights can run code: convert the"
            " model to safetensors."
        )
    if (folder / "adapter_config.json").exists():
        raise InputDataError(
            f"{folder} holds an adapter, which names another model: merge the two and give the"
            " directory of the merged model."
        )
    for path in sorted(folder.glob("*.safetensors.index.json")):
        _check_shards(folder, path)
    for path in sorted(folder.glob("*.safetensors")):
        _check_header(path)


def _check_shards(folder: Path, index: Path) -> None:
    """Refuse an index whose tensors are anywhere but in safetensors files of the folder."""
    shards = _json_object(index).get("weight_map")
    if not isinstance(shards, dict):
        raise InputDataError(f"{index} has no weight_map: get the model anew.")
    for shard in sorted(set(map(str, shards.values()))):
        if Path(shard).name != shard:
            raise InputDataError(
                f"{index.name} in {folder} names a file outside the folder ({shard}): get the"
                " model anew."
            )
        if Path(shard).suffix != ".safetensors":
            raise InputDataError(
                f"{index.name} in {folder} names {shard}, and only safetensors are ever read:"
                " convert the model to safetensors."
            )
        if not (folder / shard).is_file():
            raise InputDataError(
                f"{folder} lacks the file {shard}, which {index.name} names: get the model anew."
            )


def _check_header(path: Path) -> None:
    """Refuse a file of weights whose header does not describe exactly what is in it."""
    try:
        with safe_open(path, framework="numpy") as tensors:
            tensors.keys()
    except (OSError, SafetensorError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputDataError(
            f"{path} is not a whole safetensors file ({reason}): get the model anew."
        ) from error


def require_all_weights(
    folder: Path, loading: Mapping[str, Any], unused: Sequence[str] = ()
) -> None:
    """Refuse a model of which `transformers` did not find every weight: it would fill in random
    numbers.

    Args:
        folder: of the model.
        loading: what `from_pretrained(..., output_loading_info=True)` says.
        unused: how the names of weights begin that nothing reads.

    Raises:
        InputDataError: naming the first weight that is missing or has another shape.
    """
    differing = [key if isinstance(key, str) else key[0] for key in loading["mismatched_keys"]]
    missing = [
        name
        for name in sorted([*loading["missing_keys"], *differing])
        if not name.startswith(tuple(unused))
    ]
    if missing:
        raise InputDataError(
            f"{folder} lacks {len(missing)} weights of its own model, such as {missing[0]}: get the"
            " model anew."
        )


def require_whole_attention(config: Any, length: int) -> None:
    """Refuse a model whose layers see a window of tokens that is shorter than a row: candidates of
    one history are read as a tree, in which a window would mean other tokens than in a row.

    Args:
        config: of the model.
        length: tokens of a row at most, `sft.max_length`.

    Raises:
        InputDataError: with the greatest length that the model can have.
    """
    window = getattr(config, "sliding_window", None)
    layers = getattr(config, "layer_types", None)
    if window is None or (layers is not None and "sliding_attention" not in layers):
        return
    if window < length:
        raise InputDataError(
            f"Layers of this model see the last {window} tokens, and sft.max_length is {length}:"
            f" set sft.max_length={window}, or use a model without such windows."
        )


def refuse_pickles(folder: Path) -> None:
    """Refuse a folder that holds a pickle or a zip, recognised by its name or its first bytes.

    Raises:
        InputDataError: naming the file.
    """
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            start = file.read(4)
        if path.suffix in PICKLE_SUFFIXES or start.startswith(_PICKLE_OR_ZIP):
            raise InputDataError(
                f"{path} is a pickle or an archive, which can run code when loaded: remove it or"
                " run sft again."
            )


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Silence the progress bars of `transformers`, for the few files it reads and writes here."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _json_object(path: Path) -> dict[str, object]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputDataError(f"{path} is not valid JSON: get the model anew.") from error
    return values if isinstance(values, dict) else {}
