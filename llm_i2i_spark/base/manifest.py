"""Manifests of checkpoints: the sha256 and size of every other file in a folder, written last, so
that the folder is whole or known not to be. The manifest has a digest of its own content.
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
FORMAT = 2
"""Of manifests; the first one has no number and no digest of its fields."""


def write_manifest(folder: Path, fields: Mapping[str, Any], identity: Sequence[str] = ()) -> str:
    """Write the manifest of a folder's files, and flush everything to the disk.

    Args:
        folder: with all other files.
        fields: kept in the manifest.
        identity: names of the fields that change what the model does, and so belong to its digest;
            the others tell of its origin.

    Returns:
        The model digest: hex sha256 over the names and digests of all files, and those fields.
    """
    files = {
        name: {"sha256": sha256_of(folder / name), "bytes": (folder / name).stat().st_size}
        for name in _file_names(folder)
    }
    manifest = {
        "format": FORMAT,
        "fields": dict(fields),
        "files": files,
        "identity": [name for name in identity if name in fields],
    }
    digest = manifest["model_digest"] = _model_digest(manifest)
    manifest["manifest_digest"] = _manifest_digest(manifest)
    text = json.dumps(manifest, indent=1, sort_keys=True)
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
        consistent = _is_consistent(manifest, required)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputDataError(
            f"{folder} is no whole checkpoint, since its manifest is missing or unreadable"
            f"{_mend(folder, stage)}"
        ) from error
    if not consistent:
        raise InputDataError(
            f"The manifest {folder / MANIFEST} was changed after it was written"
            f"{_mend(folder, stage)}"
        )
    found = _file_names(folder)
    for name in sorted(set(found) ^ set(expected)):
        raise InputDataError(
            f"{folder / name} is {'missing' if name in expected else 'not in the manifest'}"
            f"{_mend(folder, stage)}"
        )
    for name in found:
        if sha256_of(folder / name) != expected[name]:
            raise InputDataError(
                f"{folder / name} was changed after it was written{_mend(folder, stage)}"
            )
    return manifest


def _mend(folder: Path, stage: str) -> str:
    """What to do about a folder that is not as it was written: a run makes again what is gone, and
    takes a folder whose files have their sizes for whole.
    """
    return f"; move the folder away with `mv '{folder}' '{folder}.damaged'` and run {stage} again."


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


def _is_consistent(manifest: Mapping[str, Any], required: Sequence[str]) -> bool:
    """Whether the digests are those of the manifest, and the fields are there."""
    if _model_digest(manifest) != manifest["model_digest"]:
        return False
    if "format" in manifest and _manifest_digest(manifest) != manifest["manifest_digest"]:
        return False
    return all(name in manifest["fields"] for name in required)


def _model_digest(manifest: Mapping[str, Any]) -> str:
    digests = sorted((name, entry["sha256"]) for name, entry in manifest["files"].items())
    text = "".join(f"{name}\0{digest}\n" for name, digest in digests)
    if "format" in manifest:
        text += _canonical({name: manifest["fields"][name] for name in manifest["identity"]})
    return hashlib.sha256(text.encode()).hexdigest()


def _manifest_digest(manifest: Mapping[str, Any]) -> str:
    content = {name: value for name, value in manifest.items() if name != "manifest_digest"}
    return hashlib.sha256(_canonical(content).encode()).hexdigest()


def _canonical(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"))
