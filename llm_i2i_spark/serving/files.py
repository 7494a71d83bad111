"""What Parquet and JSON lines have in common: one local file that readers open by its name.

A generation is written under `_serving/` beside the file and takes its name by a rename. The
generation before stays there, and so do the records of both (`generations.json`), each with size
and time of the file that it describes: a rename keeps them, so that the live record is known in the
very moment in which the file changes.
"""

from __future__ import annotations

import json
import os
import shutil
from abc import abstractmethod
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from llm_i2i_spark.base.errors import ConfigError, DamagedFileError, StageError, UserError
from llm_i2i_spark.base.exports import content_of, write_export_manifest
from llm_i2i_spark.base.files import (
    flush,
    is_uri,
    move_into_place,
    require_file_place,
    write_atomically,
)
from llm_i2i_spark.base.json_digest import json_digest
from llm_i2i_spark.base.phases import reached
from llm_i2i_spark.serving.array_cache import SERVING_FOLDER
from llm_i2i_spark.serving.base import Exporter, Generation

RECORDS = "generations.json"


class FileExporter(Exporter):
    """A file on local or mounted storage."""

    suffix: ClassVar[str]

    def __init__(self, target: str) -> None:
        super().__init__(target)
        if is_uri(target):
            raise ConfigError(
                f"A file is published to a local or mounted folder, and {target} is a URI; publish"
                " beside it and copy the file."
            )
        self.path = Path(target).expanduser().resolve()
        self._folder = self.path.parent / SERVING_FOLDER / self.path.name

    @classmethod
    def accepts(cls, target: str) -> bool:
        """Paths with the ending of the format."""
        return target.endswith(cls.suffix)

    def check(self) -> None:
        """Make the folder and see whether it can be written."""
        require_file_place(self.path)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{self.shown} cannot be written ({error.strerror}); name another folder."
            ) from error

    def live(self) -> Generation | None:
        """The record with the size and time of the file."""
        if not self.path.exists():
            return None
        stamp = _stamp(self.path)
        records = (entry["record"] for entry in self._read() if entry["stamp"] == stamp)
        return next((Generation(**record) for record in records), None)

    def find(self, generation: str) -> Generation | None:
        """The record of the live file, or of one that is kept."""
        live = self.live()
        if live is not None and live.generation == generation:
            return live
        if not (self._folder / generation).exists():
            return None
        records = (Generation(**entry["record"]) for entry in self._read())
        return next((record for record in records if record.generation == generation), None)

    def begin(self, generation: str) -> None:
        """Nothing: the file itself is what `switch` looks for."""

    def write(self, batches: Iterable[pa.RecordBatch], generation: str) -> int:
        """Write the file of the generation and flush it to disk."""
        path = self._folder / generation
        rows = self.write_file(batches, path)
        flush(path)
        reached("export written")
        return rows

    @abstractmethod
    def write_file(self, batches: Iterable[pa.RecordBatch], path: Path) -> int:
        """Write rows of `rows.INDEX_SCHEMA` in the format; how many neighbours there were."""

    def switch(self, record: Generation) -> None:
        """Keep the live file under its generation, then rename the new one over it."""
        ready = self._folder / record.generation
        if not ready.exists():
            raise StageError(
                f"Another publish to {self.shown} has taken over; its index is served, not this"
                " one."
            )
        described = {record.generation: (record, ready)}
        live = self.live()
        if live is not None and live.generation != record.generation:
            kept = self._folder / live.generation
            _keep(self.path, kept)
            described[live.generation] = (live, kept)
        others = [entry for entry in self._read() if entry["record"]["generation"] not in described]
        ours = [
            {"record": each.to_dict(), "stamp": _stamp(path)} for each, path in described.values()
        ]
        self._save([*others, *ours])
        write_export_manifest(self.path, content_of(ready, record.rows))
        move_into_place(ready, self.path)

    def remove(self, keep: Collection[str]) -> None:
        """Remove the files of all other generations, and their records."""
        for path in self._folder.iterdir():
            if path.name != RECORDS and path.name not in keep:
                path.unlink(missing_ok=True)
        entries = self._read()
        kept = [entry for entry in entries if entry["record"]["generation"] in keep]
        if kept != entries:
            self._save(kept)

    def _read(self) -> list[dict[str, Any]]:
        path = self._folder / RECORDS
        try:
            found = json.loads(path.read_bytes())
            if isinstance(found, list):  # of a version without digests
                return found
            entries: list[dict[str, Any]] = found["entries"]
            if found["digest"] != json_digest(entries):
                raise ValueError("its digest is another one")
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedFileError(
                f"{path} is damaged ({error}); remove it with `rm '{path}'`: what is served stays,"
                " and the way back to the index before is lost."
            ) from error
        return entries

    def _save(self, entries: list[dict[str, Any]]) -> None:
        content = {"entries": entries, "digest": json_digest(entries)}
        write_atomically(self._folder / RECORDS, json.dumps(content, sort_keys=True))


def _stamp(path: Path) -> list[int]:
    """Size and time of a file: what a rename leaves as it is."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _keep(path: Path, kept: Path) -> None:
    """The same file under a second name; a copy where the file system has no links."""
    kept.unlink(missing_ok=True)
    try:
        os.link(path, kept)
    except OSError:
        shutil.copy2(path, kept)
        flush(kept)
