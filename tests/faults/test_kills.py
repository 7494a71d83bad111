"""Kills at named phases: whatever process dies, and wherever, the same command given again ends
with the same rows in every table, with nothing left over, and does little twice.

`KILLS` says how many: 200 under `make faults`.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

import pytest

from llm_i2i_spark.base.exports import verify_export
from llm_i2i_spark.base.phases import KILL_AT, PHASE_LOG, PHASES
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.datasets.tables import write_synthetic
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.leftovers import remove_leftovers
from tests.e2e.conftest import RawFiles
from tests.faults.kills import COMMITTED, KilledLake, Start, digests
from tests.serving.indexes import random_lists, table_rows, write_lake

pytestmark = [pytest.mark.faults, pytest.mark.e2e]
KILLS = int(os.environ.get("KILLS", "4"))
WHOLE = KILLS >= 50
"""Whether whole runs are killed; else those from sft to generate."""
COPIED = 0 if WHOLE else 2
"""Stages that a lake has when it is killed first."""
OF_KILLED_STAGES = ("checkpoints*", "candidates", "item_candidates")
IN_A_ROW = 30
"""Kills on one lake at most, before a run goes to its end."""
WITHIN_A_STAGE = 2
"""Kills before the one that lets a stage commit: else a lake would never leave its first stages."""
FIRST = (
    "checkpoint file:9:KILL:parent",
    "batch inferred:1",
    "batch kept:1",
    "table written:2",
)
"""In the order of the stages: a job's driver, a worker, another one, the driver."""
OF_EXPORTS = frozenset({"export written", "export manifest written"})
IN_CHILDREN = frozenset(
    {"training step", "checkpoint file", "data file written", "rows committed"}
    | {"batch begins", "batch inferred", "batch kept"}
)
"""Where the parent of the process is the driver, or the server of Spark's workers."""
TASK_SLOTS = 2
SETTINGS = (
    "sft.checkpoint_every=1",
    "sft.batch_size=16",
    "generate.partitions=4",
    "discriminate.partitions=4",
)
Note = Callable[[KilledLake], None]
"""Has the kills of a lake in the table at the end."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[KilledLake, Start]:
    """A run on 60 users, in processes of its own; and its arguments."""
    folder = tmp_path_factory.mktemp("kills")
    files = RawFiles(*map(str, write_synthetic(folder, 60, 120, 7)))
    root, last = folder / "lake", () if WHOLE else ("--to", "generate")
    lake = KilledLake(root, ["run", *last, *files.arguments(root, *SETTINGS)], folder / "tmp")
    start = lake.finish()
    if WHOLE:
        assert {phase for _, phase, _, _ in start.reached} == set(PHASES) - OF_EXPORTS
    assert lake.leftovers() == []
    return lake, start


@pytest.mark.skipif("KILLS" not in os.environ, reason="KILLS says how many runs are killed")
def test_a_run_that_is_killed_ends_with_the_rows_of_one_that_is_not(
    undisturbed: tuple[KilledLake, Start], note_kills: Note, tmp_path: Path
) -> None:
    reference, whole = undisturbed
    expected = digests(reference.root)
    most_steps, most_rows = _most_repeated(whole)
    chosen = _Choice(whole, seed=1)
    for number in range(KILLS):
        if chosen.kills >= KILLS:
            break
        root = tmp_path / str(number)
        arguments = [one.replace(str(reference.root), str(root)) for one in reference.arguments]
        lake = KilledLake(root, arguments, tmp_path / "tmp")
        if not WHOLE:
            done = shutil.ignore_patterns(*OF_KILLED_STAGES)
            shutil.copytree(reference.root, root, ignore=done)
        ended = False
        while not ended and chosen.kills < KILLS and len(lake.kills) < IN_A_ROW:
            ended = not chosen.kill(lake)
        if not ended:
            lake.finish()
        note_kills(lake)
        assert digests(root) == expected
        assert lake.leftovers() == []
        for kill in lake.kills:
            assert not kill.bad, f"{kill.phase}: {kill.bad}"
            assert kill.repeated["training step"] <= most_steps, kill
            assert kill.repeated["batch begins"] <= most_rows, kill
        shutil.rmtree(root)
    if WHOLE:
        assert set(chosen.by_phase) == set(PHASES) - OF_EXPORTS


def _most_repeated(whole: Start) -> tuple[int, int]:
    """What a kill may cost: the steps of an epoch, and a batch for each task slot."""
    steps = Counter(of.split()[0] for phase, of in whole.work if phase == "training step")
    rows = [n for (phase, _), n in whole.work.items() if phase == "batch begins"]
    # The generator has two epochs, the discriminator one.
    return max(steps["generator"] // 2, steps["discriminator"]), TASK_SLOTS * max(rows)


class _Choice:
    """Where the next start is killed: in the stage that it goes on with, at the phase of that stage
    that was hit least, as often reached as chance says; where that is not reached, since a part of
    the stage was done before, and after a few kills, when the stage has committed.
    """

    def __init__(self, whole: Start, seed: int) -> None:
        self._stages = _phases_by_stage(whole)
        self._random = random.Random(seed)
        self._first = list(FIRST)
        self.by_phase: Counter[str] = Counter()

    @property
    def kills(self) -> int:
        """How many there were."""
        return self.by_phase.total()

    def kill(self, lake: KilledLake) -> bool:
        """Kill the next start; False where it ran to its end."""
        wanted = self._first.pop(0) if self._first else self._next(lake)
        if wanted is None or not lake.kill(wanted):
            return False
        self.by_phase[lake.kills[-1].phase] += 1
        return True

    def _next(self, lake: KilledLake) -> str | None:
        """A phase of the stage that a lake goes on with; None after all."""
        committed = COPIED + lake.committed_stages
        if committed >= len(self._stages):
            return None
        after_the_last_one = takewhile(lambda kill: kill.phase != COMMITTED, reversed(lake.kills))
        if len(list(after_the_last_one)) >= WITHIN_A_STAGE:
            return f"{COMMITTED}:1"
        most = self._stages[committed]
        fewest = min(self.by_phase[phase] for phase in most)
        phase = self._random.choice([one for one in most if self.by_phase[one] == fewest])
        count = self._random.randint(1, most[phase])
        how = self._random.choice(("KILL", "KILL", "KILL", "TERM"))
        whom = self._random.choice(("self", "parent")) if phase in IN_CHILDREN else "self"
        return f"{phase}:{count}:{how}:{whom},stage committed:1"


def _phases_by_stage(whole: Start) -> list[dict[str, int]]:
    """Of each stage its phases, and how often one process reaches them; then those after all."""
    stages: list[Counter[tuple[int, str]]] = [Counter()]
    for process, phase, _, _ in whole.reached:
        stages[-1][process, phase] += 1
        if phase == COMMITTED:
            stages.append(Counter())
    most: list[dict[str, int]] = [{} for _ in stages]
    for found, of_stage in zip(most, stages, strict=True):
        for (_, phase), count in of_stage.items():
            found[phase] = max(count, found.get(phase, 0))
    return [one for one in most if one]


@pytest.mark.parametrize(
    ("command", "middle"),
    [
        ("index.parquet", "export manifest written"),
        ("index.jsonl", "export written"),
        ("lookup", "folder complete"),
    ],
)
def test_an_export_or_lookup_that_is_killed_leaves_a_whole_file(
    note_kills: Note, tmp_path: Path, command: str, middle: str
) -> None:
    settings = [
        ["--set", f"lake.root={write_lake(tmp_path / name, table_rows(random_lists(30, 5, n)))}"]
        for n, name in enumerate(("old", "new"))
    ]
    target = tmp_path / "out" / command

    def command_line(number: int) -> list[str]:
        if command == "lookup":
            return ["lookup", *settings[number], "--items", "a"]
        return ["publish", str(target), *settings[number], "--variant", "real"]

    root = tmp_path / "new"
    undisturbed = KilledLake(root, command_line(1), tmp_path / "tmp")
    reached = [(process, phase) for process, phase, _, _ in undisturbed.finish().reached]
    assert len({process for process, _ in reached}) == 1
    counts = Counter(phase for _, phase in reached)
    expected = _content(target)
    places = [(phase, count) for phase in counts for count in range(1, counts[phase] + 1)]
    assert middle in counts
    for phase, count in places if WHOLE else [(middle, 1)]:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        shutil.rmtree(root / "_serving", ignore_errors=True)
        KilledLake(tmp_path / "old", command_line(0), tmp_path / "tmp").finish()
        before, lake = _content(target), KilledLake(root, command_line(1), tmp_path / "tmp")
        assert lake.kill(f"{phase}:{count}")
        assert _content(target) in (before, expected)
        lake.finish()
        note_kills(lake)
        assert _content(target) == expected
        assert lake.leftovers() == []
        assert list(target.parent.rglob(".*.writing")) == []


def _content(target: Path) -> bytes | None:
    """What an exported file holds, as its manifest says; None for no file."""
    if not target.is_file():
        return None
    verify_export(target)
    return target.read_bytes()


COMMIT = """
import sys
from tests.faults.test_disks import embeddings
from tests.stage_runs import record_of
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
config = load_config([], [f"lake.root={sys.argv[1]}"])
scope, number = {"variant": "real", "backbone": "bpr"}, int(sys.argv[2])
record = record_of(config, "item_embeddings", [scope], fingerprint=f"f{number}")
DeltaRsLake(config.lake).commit(embeddings(number), record)
"""


def test_a_commit_without_a_jvm_that_is_killed_is_there_or_not(tmp_path: Path) -> None:
    def commit(root: Path, number: int, kill_at: str = "") -> int:
        environment = {**os.environ, KILL_AT: kill_at, PHASE_LOG: str(tmp_path / "phases")}
        command = [sys.executable, "-c", COMMIT, str(root), str(number)]
        return subprocess.run(command, env=environment, check=False).returncode

    old, new = tmp_path / "old", tmp_path / "new"
    assert commit(old, 1) == 0
    shutil.copytree(old, new)
    (tmp_path / "phases").unlink()
    assert commit(new, 2) == 0
    phases = [line.split("\t")[1] for line in (tmp_path / "phases").read_text().splitlines()]
    before, after = digests(old), digests(new)
    assert before != after
    committed = phases.index("rows committed")
    for place in (committed - 1, committed) if not WHOLE else range(len(phases)):
        root, count = tmp_path / str(place), phases[: place + 1].count(phases[place])
        shutil.copytree(old, root)
        assert commit(root, 2, f"{phases[place]}:{count}") == -signal.SIGKILL
        assert digests(root) == (before if place < committed else after)
        assert commit(root, 2) == 0
        assert digests(root) == after
        assert len(DeltaRsLake(LakeConfig(root=str(root))).history("item_embeddings")) == 2
        remove_leftovers(root)
        assert list(root.rglob("*.writing")) == []
