"""Running the command line as a user does, on a log of 150 users: in processes of its own where a
process is what is tested, else in this one, with its session.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from llm_i2i_spark.cli.main import main
from llm_i2i_spark.datasets.tables import write_synthetic

TINY = (
    "spark.master=local[2]",
    "spark.memory=1g",
    "spark.short_jobs=true",
    "spark.shuffle_partitions=2",
    "sft.hidden_size=16",
    "sft.intermediate_size=16",
    "sft.heads=2",
    "sft.text_dims=16",
    "sft.epochs=2",
    "sft.batch_size=64",
    "sft.discriminator.epochs=1",
    "generate.per_user=5",
    "generate.per_item=4",
    "generate.partitions=2",
    "discriminate.partitions=2",
    "evaluate.bootstrap=50",
)


@dataclass(frozen=True)
class RawFiles:
    """A log and a catalogue, and the arguments that run the pipeline on them with a tiny model."""

    interactions: str
    items: str

    def arguments(self, lake: Path, *settings: str) -> list[str]:
        """`--set` arguments for a lake folder."""
        paths = (
            f"lake.root={lake}",
            f"ingest.interactions={self.interactions}",
            f"ingest.items={self.items}",
        )
        return [part for setting in (*TINY, *paths, *settings) for part in ("--set", setting)]


@pytest.fixture(scope="session")
def raw_files(tmp_path_factory: pytest.TempPathFactory) -> RawFiles:
    """150 users and 120 items, made once."""
    interactions, items = write_synthetic(tmp_path_factory.mktemp("raw"), 150, 120, 7)
    return RawFiles(str(interactions), str(items))


class CommandLine:
    """`llm-i2i` in processes of its own."""

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "llm_i2i_spark", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def run(self, *arguments: str) -> tuple[str, str]:
        """Run a command to its end, expect that it succeeds; its standard output and error."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=900)
        assert process.returncode == 0, err[-3000:]
        return out, err


@pytest.fixture(scope="session")
def llm_i2i() -> CommandLine:
    """The command line."""
    return CommandLine()


class Finished(NamedTuple):
    """A lake after `llm-i2i run`, its arguments, and the run's result as JSON."""

    lake: Path
    arguments: list[str]
    summary: dict[str, Any]


@pytest.fixture(scope="session")
def finished(
    raw_files: RawFiles, llm_i2i: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> Finished:
    """A whole run, in a process of its own. Tests leave its tables as they are."""
    lake = tmp_path_factory.mktemp("finished") / "lake"
    arguments = raw_files.arguments(lake)
    return Finished(lake, arguments, json.loads(llm_i2i.run("run", "--json", *arguments)[0]))


@pytest.fixture
def copied(finished: Finished, tmp_path: Path) -> Finished:
    """A copy of that lake, to run further in."""
    lake = tmp_path / "lake"
    shutil.copytree(finished.lake, lake)
    arguments = [one.replace(str(finished.lake), str(lake)) for one in finished.arguments]
    return finished._replace(lake=lake, arguments=arguments)


class CommandLineHere:
    """`llm-i2i` in this process, which has a session already."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def run(self, *arguments: str) -> str:
        """Run a command, expect that it succeeds; its standard output."""
        code = main(arguments)
        out, err = self._capsys.readouterr()
        assert code == 0, err[-3000:]
        return out

    def refuse(self, *arguments: str) -> str:
        """Run a command, expect that it is the user's mistake; its messages."""
        code = main(arguments)
        _, err = self._capsys.readouterr()
        assert code == 2, err[-3000:]
        return err


@pytest.fixture
def here(spark: object, capsys: pytest.CaptureFixture[str]) -> CommandLineHere:
    """The command line in this process."""
    return CommandLineHere(capsys)
