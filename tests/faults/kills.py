"""Starts of one command that are killed at named phases, one after the other on one lake, until one
runs to its end: what they did twice, what they have left, and whether the tables are the same.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from llm_i2i_spark.audit.replay.replay import NOT_COMPARED
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.phases import KILL_AT, PHASE_LOG
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.base.unfinished import TEMPORARY
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.leftovers import STAGING_FOLDER, writing_folders

GONE_SECONDS = 60
"""Until no child of a killed process is left; a JVM that computes looks up seldom."""
COMMITTED = "stage committed"
"""The phase that ends a stage."""
NUMBERS_OF_COMMITS = {"checkpoints": ("export_version",)}
"""Columns that count commits: a table whose stage is killed before its last table is committed
twice."""
REPEATED = {"training step": "steps", "batch begins": "rows"}
"""Phases whose work, done a second time, is what a kill costs."""

Work = dict[tuple[str, str], int]
"""How much, by phase and piece of work."""


@dataclass(frozen=True)
class Start:
    """One start of a command.

    Attributes:
        code: its exit code.
        seconds: until all of its processes were gone.
        text: standard error.
        reached: process, phase, amount and piece of work, in order.
    """

    code: int
    seconds: float
    text: str
    reached: list[tuple[int, str, int, str]]

    @property
    def work(self) -> Work:
        """What was done of that which can be repeated."""
        return {(phase, of): n for _, phase, n, of in self.reached if phase in REPEATED and of}

    @property
    def bad_end(self) -> str:
        """Why this is no end that a kill may lead to; empty for one that it may."""
        foreseen = "Unexpected" not in self.text and "Traceback" not in self.text
        killed = self.code in (-9, 130) or (self.code == 1 and "llm-i2i: Stage " in self.text)
        return "" if foreseen and killed else f"exit code {self.code}: {self.text[-1500:]}"


@dataclass
class Kill:
    """A kill that happened.

    Attributes:
        phase: where.
        start: that was killed.
        bad: what was wrong afterwards.
        repeated: work that later starts did again because of it, by phase.
    """

    phase: str
    start: Start
    bad: str = ""
    repeated: Counter[str] = field(default_factory=Counter)

    @property
    def outcome(self) -> str:
        """In the words of the table."""
        return "bad" if self.bad else "driver killed" if self.start.code == -9 else "typed error"


@dataclass
class KilledLake:
    """A lake and the starts of the command that fills it.

    Attributes:
        root: of the lake.
        arguments: of `llm-i2i`.
        temporary: folder for temporary files of these starts alone.
    """

    root: Path
    arguments: Sequence[str]
    temporary: Path
    kills: list[Kill] = field(default_factory=list)

    @property
    def committed_stages(self) -> int:
        """How many stages the killed starts have committed."""
        reached = (phase for kill in self.kills for _, phase, _, _ in kill.start.reached)
        return sum(phase == COMMITTED for phase in reached)

    def start(self, kill_at: str = "") -> Start:
        """Run the command until it ends, and wait until none of its processes is left."""
        self.temporary.mkdir(exist_ok=True)
        log = self.temporary / "phases.tsv"
        log.unlink(missing_ok=True)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(self.temporary)}
        environment |= {PHASE_LOG: str(log), KILL_AT: kill_at}
        began = time.monotonic()
        command = [sys.executable, "-m", "llm_i2i_spark", *self.arguments]
        with (self.temporary / "stderr").open("w+", encoding="utf-8") as words:
            ended = subprocess.run(
                command, env=environment, stdout=subprocess.DEVNULL, stderr=words, check=False
            )
            words.seek(0)
            text = words.read()
        _wait_until_gone(str(log))
        lines = log.read_text().splitlines() if log.exists() else []
        fields = [line.split("\t") for line in lines]
        reached = [(int(process), phase, int(n), of) for process, phase, n, of in fields]
        return Start(ended.returncode, time.monotonic() - began, text, reached)

    def kill(self, kill_at: str) -> bool:
        """Start the command with a kill waiting for it; False where it ran to its end."""
        start = self.start(kill_at)
        self._blame(start)
        if start.code == 0:
            return False
        kill = Kill(_phase_of(start, kill_at), start, start.bad_end)
        kill.bad = kill.bad or _unreadable(self.root)
        self.kills.append(kill)
        return True

    def finish(self) -> Start:
        """Run the command to its end."""
        start = self.start()
        assert start.code == 0, start.text[-3000:]
        self._blame(start)
        return start

    def _blame(self, start: Start) -> None:
        """Charge what a start did again to the last kill after which it was there to be kept."""
        for (phase, of), amount in start.work.items():
            for kill in reversed(self.kills):
                if (phase, of) in kill.start.work:
                    kill.repeated[phase] += amount
                    break

    def leftovers(self) -> list[str]:
        """What should have been removed when the command had ended."""
        found = [
            path for folder in writing_folders(self.root) for path in folder.glob(".*.writing")
        ]
        found += (self.root / STAGING_FOLDER).glob("*")
        found += (self.root / "_inference").glob("*")
        found += self.root.glob("*_files/_partial/*")
        found += (path for path in self.root.glob("*_files/.*"))
        found += self.temporary.glob(TEMPORARY)
        return sorted(map(str, found))


def digests(root: Path) -> dict[str, str]:
    """By table, a digest of its rows in any order, without what differs from run to run."""
    found = {}
    for table, rows in _tables(root):
        left_out = {*NOT_COMPARED.get(table, ()), *NUMBERS_OF_COMMITS.get(table, ()), "run_id"}
        texts = sorted(
            repr([value for name, value in row.items() if name not in left_out]) for row in rows
        )
        found[table] = f"{len(texts)} {hashlib.sha256(''.join(texts).encode()).hexdigest()}"
    return found


def _tables(root: Path) -> Iterator[tuple[str, list[dict[str, object]]]]:
    lake = DeltaRsLake(LakeConfig(root=str(root)))
    for name, table in TABLES.items():
        if lake.version(name) is not None:
            try:
                yield name, lake.read(name, None, table.names).to_pylist()
            except InputDataError:  # no rows
                yield name, []


def _unreadable(root: Path) -> str:
    """What is wrong with a table after a kill; empty where all can be read."""
    try:
        for _ in _tables(root):
            pass
    except Exception as error:  # whatever it is, it is what the test looks for
        return repr(error)
    return ""


def _phase_of(start: Start, kill_at: str) -> str:
    """The phase at which a start was killed: the one whose count is full."""
    counts: Counter[tuple[int, str]] = Counter()
    waiting = [one.split(":")[:2] for one in kill_at.split(",")]
    for process, phase, _, _ in start.reached:
        counts[process, phase] += 1
        if [phase, str(counts[process, phase])] in waiting:
            return phase
    return "none"


def _wait_until_gone(marker: str) -> None:
    """See that no process is left that has a marker in its environment.

    Raises:
        AssertionError: one is left.
    """
    left = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(PHASE_LOG) == marker:
                left.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    _, alive = psutil.wait_procs(left, timeout=GONE_SECONDS)
    assert not alive, f"left running: {alive}"
