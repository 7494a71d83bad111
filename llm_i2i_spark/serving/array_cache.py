"""The arrays of an index, made when it is first opened and kept beside it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from llm_i2i_spark.base.files import folder_atomically
from llm_i2i_spark.base.unfinished import temporary_folder
from llm_i2i_spark.serving.array_writer import write_arrays
from llm_i2i_spark.serving.index_arrays import IndexArrays, open_arrays
from llm_i2i_spark.serving.index_reader import IndexSource

SERVING_FOLDER = "_serving"
"""Folder beside an index for what serving keeps; Spark and pyarrow pass over such names."""

KEPT = 2
"""How many versions of an index have their arrays kept."""


def load_arrays(source: IndexSource, cache: str | Path | None = None) -> IndexArrays:
    """The arrays of an index: mapped where they were made before, else made now.

    They are kept in the folder `_serving` beside a local index, so that every later process opens
    them at once; those of the two latest versions stay. Where that folder cannot be written, and
    for a remote index without `cache`, they last as long as this process.

    Args:
        source: of the index.
        cache: a local folder to keep the arrays in.

    Raises:
        UserError: the index cannot be read.
    """
    folder = _cache_folder(source, cache)
    if folder is None:
        return _temporary(source)
    target = folder / f"{source.name}@{source.content}"
    found = open_arrays(target)
    if found is None:
        with folder_atomically(target) as unfinished:
            write_arrays(source.batches(), unfinished, source.origin)
        found = open_arrays(target)
        _remove_old(folder, source.name)
    # A process beside this one may have removed them as the oldest.
    return found if found is not None else _temporary(source)


def _cache_folder(source: IndexSource, cache: str | Path | None) -> Path | None:
    if cache is not None:
        folder = Path(cache)
    elif source.folder is not None:
        folder = source.folder / SERVING_FOLDER
    else:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def _temporary(source: IndexSource) -> IndexArrays:
    # The files go with the folder; what is mapped stays readable until this process ends.
    with temporary_folder("arrays") as folder:
        write_arrays(source.batches(), folder, source.origin)
        found = open_arrays(folder)
    assert found is not None
    return found


def _remove_old(folder: Path, name: str) -> None:
    versions = sorted(folder.glob(f"{name}@*"), key=lambda path: path.stat().st_mtime)
    for path in versions[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)
