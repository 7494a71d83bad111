"""Manifests of checkpoints: the sha256 and size of every other file in a folder, written last, so
that the folder is whole or known not to be.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.files import flush, sha256_of

MANIFEST = "manifest.json"


def write_manifest(folder: Path, fields: Mapping[str, Any]) -> str:
    """Write the manifest of a folder's files, and flush everything to the disk.

    Args:
        folder: with all other files.
        fields: kept in the manifest.

    Returns:
        The model digest: hex sha256 over the sorted names and digests of all files.
    """
    files = {
        name: {"sha256": sha256_of(folder / name), "bytes": (folder / name).stat().st_size}
        for name in _file_names(folder)
    }
    digest = _model_digest({name: str(entry["sha256"]) for name, entry in files.items()})
    text = json.dumps(
        {"model_digest": digest, "fields": dict(fields), "files": files}, indent=1, sort_keys=True
    )
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    for name in [*files, MANIFEST, *{str(Path(name).parent) for name in files}]:
        flush(folder / name)
    return digest


def verify_manifest(folder: Path, stage: str, required: Sequence[str] = ()) -> dict[str, Any]:
    """Compare every file of a folder with its manifest.

    Args:
        folder: of a checkpoint.
        stage: that wrote it and can write it again.
        required: fields that the manifest must have.

    Returns:
        The manifest: `model_digest`, `fields`, `files`.

    Raises:
        InputDataError: naming what is wrong.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        expected = {str(name): str(entry["sha256"]) for name, entry in manifest["files"].items()}
        consistent = _model_digest(expected) == manifest["model_digest"] and all(
            name in manifest["fields"] for name in required
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputDataError(
            f"{folder} is no whole checkpoint, since its manifest is missing or unreadable: run"
            f" {stage} again."
        ) from error
    if not consistent:
        raise InputDataError(
            f"The manifest of {folder} was changed after it was written: run {stage} again."
        )
    found = _file_names(folder)
    for name in sorted(set(found) ^ set(expected)):
        raise InputDataError(
            f"{folder / name} is {'missing' if name in expected else 'not in the manifest'}: run"
            f" {stage} again."
        )
    for name in found:
        if sha256_of(folder / name) != expected[name]:
            raise InputDataError(
                f"{folder / name} was changed after it was written: run {stage} again."
            )
    return manifest


def is_complete(folder: Path) -> bool:
    """Whether a checkpoint has every file of its manifest, each of its size; what is in them is
    verified when they are loaded.
    """
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        return all((folder / name).stat().st_size == files[name]["bytes"] for name in files)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _file_names(folder: Path) -> list[str]:
    """Every file below a folder except the manifest, as sorted POSIX paths."""
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return sorted(name for name in files if name != MANIFEST)


def _model_digest(digests: Mapping[str, str]) -> str:
    return hashlib.sha256(
        "".join(f"{name}\0{digest}\n" for name, digest in sorted(digests.items())).encode()
    ).hexdigest()
