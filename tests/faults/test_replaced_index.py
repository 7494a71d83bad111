"""An index that is replaced again and again while another process opens and reads it: each time it
is the one or the other, never a part of both.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from llm_i2i_spark.lake.table_commit import create_table, replace_rows
from llm_i2i_spark.serving.array_cache import load_arrays
from llm_i2i_spark.serving.index_reader import find_index
from llm_i2i_spark.serving.publish import publish
from tests.serving.indexes import SCHEMA, random_lists, table_rows, write_lake

REPLACED = 30
READ = """
import os, sys
from tests.faults.test_replaced_index import digest_of
index, done = sys.argv[1:]
print(digest_of(index), flush=True)
while not os.path.exists(done):
    print(digest_of(index), flush=True)
"""


def digest_of(index: str | Path) -> str:
    """Of all lists of an index, opened as a lookup opens it."""
    batches = load_arrays(find_index(index, "real"), None).batches()
    rows = sorted((row["item_id"], row) for batch in batches for row in batch.to_pylist())
    return hashlib.sha256(json.dumps(rows, default=str).encode()).hexdigest()


def into_parquet(folder: Path) -> tuple[Path, Callable[[int], object]]:
    """An exported file, and what puts the first or the second index into it."""
    lakes = [write_lake(folder / str(n), table_rows(random_lists(60, 7, n))) for n in (0, 1)]
    path = folder / "out" / "index.parquet"
    return path, lambda which: publish(lakes[which], path)


def into_lake(folder: Path) -> tuple[Path, Callable[[int], object]]:
    """A lake, and what commits the first or the second index to it."""
    path = folder / "item_index"
    (path / "_delta_log").mkdir(parents=True)
    scope = {"variant": "real", "backbone": "swing"}
    tables = [pa.Table.from_pylist(table_rows(random_lists(60, 7, n)), SCHEMA) for n in (0, 1)]
    create_table(path, tables[0], tuple(scope), {}, "{}")

    def commit(which: int) -> None:
        replace_rows(DeltaTable(path), path, tables[which], tuple(scope), [scope], "{}")

    return folder, commit


@pytest.mark.faults("F25", end="same", slow=True)
@pytest.mark.parametrize("make", [into_parquet, into_lake])
def test_a_reader_in_another_process_finds_one_index_or_the_other(
    tmp_path: Path, make: Callable[[Path], tuple[Path, Callable[[int], object]]]
) -> None:
    index, put = make(tmp_path / "index")
    known = set()
    for which in (0, 1):
        put(which)
        known.add(digest_of(index))
    assert len(known) == 2
    done = tmp_path / "done"
    reader = subprocess.Popen(
        [sys.executable, "-c", READ, str(index), str(done)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    assert reader.stdout is not None
    seen = {reader.stdout.readline().strip()}  # it reads from here on
    for number in range(REPLACED):
        put(number % 2)
    done.touch()
    out, err = reader.communicate(timeout=60)
    assert reader.returncode == 0, err[-2000:]
    assert seen | set(out.split()) == known
    assert len(out.split()) > 3
