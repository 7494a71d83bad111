"""A lake that its owner does not let others read or write: one sentence, and nothing is changed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from deltalake.exceptions import DeltaError

from llm_i2i_spark.base.disk_errors import disk_error
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.serving.lookup import Lookup
from llm_i2i_spark.serving.publish import live, publish
from tests.faults.test_disks import embeddings
from tests.serving.indexes import random_lists, table_rows, write_lake
from tests.stage_runs import record_of

NOBODY = 65_534


@contextmanager
def somebody_else() -> Iterator[None]:
    """Another user for the length of the block, where the tests run as the one whom every file lets
    in.
    """
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that everybody may enter; pytest's own are for their owner alone."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in folder.rglob("*"):
        path.chmod(0o755)
    shutil.rmtree(folder)


def closed(path: Path, mode: int) -> None:
    """Take rights from a folder and from everything in it."""
    for one in sorted(path.rglob("*"), reverse=True):
        one.chmod(mode if one.is_dir() else mode & 0o666)
    path.chmod(mode)


def refusal(work: Callable[[], object]) -> str:
    """What a command says that does such work."""
    with pytest.raises((OSError, DeltaError, UserError)) as caught:
        work()
    error = caught.value if isinstance(caught.value, UserError) else disk_error(caught.value)
    said = str(error)
    assert "ermission denied" in said
    assert "\n" not in said
    return said


@pytest.mark.faults("F14", end="error")
def test_a_lake_that_may_not_be_read_is_a_sentence(folder: Path) -> None:
    lake = write_lake(folder / "lake", table_rows(random_lists(20, 3, 1)))
    for path, mode in (
        *((file, 0) for file in (lake / "item_index").glob("*.parquet")),
        (lake / "item_index", 0),
    ):
        path.chmod(mode)
        with somebody_else():
            said = refusal(lambda: Lookup.open(lake))
        assert str(path) in said


@pytest.mark.faults("F14", end="error")
def test_a_lake_that_may_not_be_written_to_is_a_sentence_and_stays(folder: Path) -> None:
    config = load_config([], [f"lake.root={folder / 'lake'}"])
    lake, scope = DeltaRsLake(config.lake), {"variant": "real", "backbone": "bpr"}

    def commit(number: int) -> None:
        record = record_of(config, "item_embeddings", [scope], fingerprint=f"f{number}")
        lake.commit(embeddings(number), record)

    commit(0)
    closed(folder / "lake", 0o555)
    with somebody_else():
        assert str(folder / "lake") in refusal(lambda: commit(1))
    assert len(lake.history("item_embeddings")) == 1
    assert lake.lost_files("item_embeddings") == []
    closed(folder / "lake", 0o755)
    commit(1)
    assert len(lake.history("item_embeddings")) == 2


@pytest.mark.faults("F14", end="error")
@pytest.mark.parametrize("name", ["index.parquet", "index.jsonl"])
def test_a_target_that_may_not_be_written_to_is_a_sentence_and_stays(
    folder: Path, name: str
) -> None:
    lakes = [write_lake(folder / str(n), table_rows(random_lists(20, 3, n))) for n in (1, 2)]
    target = folder / "out" / name
    before = publish(lakes[0], target)
    closed(target.parent, 0o555)
    with somebody_else():
        assert str(folder / "out") in refusal(lambda: publish(lakes[1], target))
    assert live(target) == before
    assert {path.name for path in target.parent.iterdir()} >= {name}
