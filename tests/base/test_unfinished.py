"""What a killed process has left is removed by the next one; what a living one writes is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_i2i_spark.base.files import folder_atomically, write_atomically
from llm_i2i_spark.base.phases import KILL_AT
from llm_i2i_spark.base.unfinished import (
    TEMPORARY,
    UNFINISHED,
    owned,
    remove_abandoned,
    temporary_folder,
)

WRITING = {
    "file": "files.write_atomically(target, 'new')",
    "folder": "(stack.enter_context(files.folder_atomically(target)) / 'a').write_text('new')",
    "temporary": (
        "stack.enter_context(unfinished.temporary_folder('sft'))\nphases.reached('rows staged')"
    ),
}


def killed(action: str, target: Path, phase: str) -> None:
    """Let a process be killed while it writes."""
    program = (
        "from contextlib import ExitStack\nfrom pathlib import Path\n"
        "from llm_i2i_spark.base import files, phases, unfinished\n"
        f"target = Path({str(target)!r})\nwith ExitStack() as stack:\n    "
        + WRITING[action].replace("\n", "\n    ")
    )
    environment = {**os.environ, KILL_AT: f"{phase}:1", "TMPDIR": str(target.parent)}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_next_write_of_a_file_removes_the_half_one(tmp_path: Path) -> None:
    killed("file", tmp_path / "a[1].json", "file complete")
    other = tmp_path / ".b.json.0.writing"
    other.touch()
    assert len(names(tmp_path)) == 2
    write_atomically(tmp_path / "a[1].json", "newer")
    assert names(tmp_path) == [other.name, "a[1].json"]


def test_the_next_write_of_a_folder_removes_the_half_one(tmp_path: Path) -> None:
    killed("folder", tmp_path / "model", "folder complete")
    (left,) = tmp_path.iterdir()
    assert (left / "a").read_text() == "new"
    with folder_atomically(tmp_path / "model"):
        assert not left.exists()
    assert names(tmp_path) == ["model"]


def test_a_temporary_folder_goes_with_its_process_or_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed("temporary", tmp_path / "x", "rows staged")
    with temporary_folder("sft") as own:
        assert len(names(tmp_path)) == 2
        remove_abandoned(tmp_path, TEMPORARY)
        assert names(tmp_path) == [own.name]
    assert names(tmp_path) == []


def test_what_another_process_writes_stays(tmp_path: Path) -> None:
    target = tmp_path / "index.parquet"
    program = (
        "import sys\nfrom llm_i2i_spark.base.files import open_atomically\n"
        f"with open_atomically({str(target)!r}) as file:\n"
        "    file.write(b'other'); print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        write_atomically(target, "own")
        remove_abandoned(tmp_path, UNFINISHED)
        assert len(names(tmp_path)) == 2
        other.communicate(b"")
    assert (other.returncode, target.read_bytes()) == (0, b"other")
    assert names(tmp_path) == ["index.parquet"]


def test_what_is_removed_before_it_is_locked_is_made_again(tmp_path: Path) -> None:
    def make() -> Iterator[Path]:
        for name in ("a", "b"):
            path = tmp_path / name
            path.mkdir()
            if name == "a":
                remove_abandoned(tmp_path, "a")
            yield path

    made = make()
    with owned(lambda: next(made)) as path:
        assert path.name == "b"
    assert names(tmp_path) == ["b"]
