"""Manifests of exported files: size, sha256 and rows of what a file holds, beside it as
`_NAME.manifest.json` (Spark and pyarrow pass over such names).

While a file is replaced, its manifest names the old content and the new one, so that a reader finds
one that fits at every moment.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from llm_i2i_spark.base.errors import DamagedFileError
from llm_i2i_spark.base.files import is_uri, open_atomically, sha256_of, write_atomically
from llm_i2i_spark.base.json_digest import json_digest
from llm_i2i_spark.base.phases import reached

ATTEMPTS = 10
"""To verify a file that others replace meanwhile."""
KEPT = 3
"""Contents that a manifest names: the one to come, the live one, and the one before."""


@dataclass(frozen=True)
class ExportedContent:
    """One content of an exported file.

    Attributes:
        sha256: hex, of its bytes.
        bytes: how many.
        rows: how many; None where nobody counted them.
    """

    sha256: str
    bytes: int
    rows: int | None = None


class ExportStream:
    """A binary stream that knows what went through it.

    Args:
        file: where the bytes go.
    """

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._digest, self._bytes = file, hashlib.sha256(), 0

    def write(self, content: Any) -> int:
        """Write some bytes; how many there were."""
        self._file.write(content)
        self._digest.update(content)
        size = memoryview(content).nbytes
        self._bytes += size
        return size

    def tell(self) -> int:
        """Bytes so far."""
        return self._bytes

    def flush(self) -> None:
        """Hand all bytes on."""
        self._file.flush()

    def content(self, rows: int) -> ExportedContent:
        """What was written."""
        return ExportedContent(self._digest.hexdigest(), self._bytes, rows)


class Export:
    """A file that is being exported: its stream, and how many rows it has in the end."""

    def __init__(self, stream: ExportStream) -> None:
        self.stream, self.rows = stream, 0


@contextmanager
def open_export(path: str | Path) -> Iterator[Export]:
    """A file to export, which appears with its manifest when the block ends without an error.

    Args:
        path: local path or URI.

    Raises:
        OSError: the place cannot be written to.
        ValueError: the URI's scheme is unknown.
    """
    with open_atomically(path) as file:
        export = Export(ExportStream(file))
        yield export
        reached("export written")
        write_export_manifest(path, export.stream.content(export.rows))


def manifest_path(path: str | Path) -> str:
    """Where the manifest of an exported file is."""
    folder, slash, name = str(path).rpartition("/")
    return f"{folder}{slash}_{name}.manifest.json"


def content_of(path: Path, rows: int | None = None) -> ExportedContent:
    """What a local file holds."""
    return ExportedContent(sha256_of(path), path.stat().st_size, rows)


def write_export_manifest(path: str | Path, content: ExportedContent) -> None:
    """Write the manifest of a file that is about to get a content, before it gets it.

    Args:
        path: of the file; of a URI the content that it has is not known.
        content: the one that it gets.
    """
    before = [] if is_uri(str(path)) else _contents_before(Path(path))
    contents = list(dict.fromkeys([content, *before]))[:KEPT]
    values = [asdict(one) for one in contents]
    text = json.dumps({"contents": values, "digest": json_digest(values)}, indent=1)
    write_atomically(manifest_path(path), text + "\n")
    reached("export manifest written")


def verify_export(path: str | Path) -> ExportedContent | None:
    """Compare a local exported file with its manifest.

    Returns:
        What it holds; None where it has no manifest: then another program wrote it.

    Raises:
        DamagedFileError: the file or its manifest is not what was written.
        OSError: the file cannot be read.
    """
    file = Path(path)
    if not Path(manifest_path(file)).exists():
        return None
    for _ in range(ATTEMPTS):
        state = file.stat()
        # Before the manifest is read, which then names this content and those after it.
        sha256 = sha256_of(file)
        known = {content.sha256: content for content in _read(file)}
        if sha256 in known:
            return known[sha256]
        if _same(state, file.stat()):
            break
    raise DamagedFileError(
        f"{file} is not what was exported, as its manifest says: export it again, or remove the"
        f" manifest with `rm '{manifest_path(file)}'` where another program wrote the file anew."
    )


def _read(file: Path) -> Sequence[ExportedContent]:
    manifest = manifest_path(file)
    try:
        values = json.loads(Path(manifest).read_bytes())
        contents = values["contents"]
        if values["digest"] != json_digest(contents):
            raise ValueError("its digest is another one")
        return [ExportedContent(**one) for one in contents]
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFileError(
            f"The manifest {manifest} is damaged ({error}): export {file} again."
        ) from error


def _contents_before(path: Path) -> Sequence[ExportedContent]:
    """What a file may hold before it gets a new content."""
    path = path.expanduser()
    if not path.is_file():
        return []
    try:
        return _read(path)
    except (FileNotFoundError, DamagedFileError):
        return [content_of(path)]


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_ino, one.st_mtime_ns) == (other.st_ino, other.st_mtime_ns)
