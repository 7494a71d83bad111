"""Torn, empty and missing files of a table: every reader without a JVM says which one, and what to
type; none reads what is left as if it were all.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.lake.delta_rs import DeltaRsLake
from llm_i2i_spark.lake.table_commit import create_table, replace_rows
from llm_i2i_spark.serving.lookup import Lookup
from tests.serving.indexes import SCHEMA, random_lists, table_rows

pytestmark = pytest.mark.faults("F12", end="error")
Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table `item_index` of three commits."""
    path = tmp_path_factory.mktemp("lake") / "item_index"
    (path / "_delta_log").mkdir(parents=True)
    rows = [pa.Table.from_pylist(table_rows(random_lists(20 + n, 5, n)), SCHEMA) for n in range(3)]
    scope = {"variant": "real", "backbone": "swing"}
    create_table(path, rows[0], tuple(scope), {}, "{}")
    for more in rows[1:]:
        replace_rows(DeltaTable(path), path, more, tuple(scope), [scope], "{}")
    return path


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _tear(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


DAMAGES = (_empty, _tear, Path.unlink)


def _live_file(table: Path) -> Path:
    (uri,) = DeltaTable(table).file_uris()
    return table / uri.rpartition("/")[2]


# Without its last commit a table is the one before it.
@pytest.mark.parametrize("with_checksums", [True, False])
@pytest.mark.parametrize(
    ("which", "damage"),
    [
        *((which, damage) for which in ("data", "first commit") for damage in DAMAGES),
        ("last commit", _empty),
        ("last commit", _tear),
        ("log", shutil.rmtree),
    ],
)
def test_a_damaged_table_is_a_sentence_with_the_file_and_the_command(
    written: Path, tmp_path: Path, which: str, damage: Damage, with_checksums: bool
) -> None:
    table = tmp_path / "item_index"
    shutil.copytree(written, table)
    if not with_checksums:
        for checksum in table.rglob(".*.crc"):
            checksum.unlink()
    commits = sorted((table / "_delta_log").glob("*.json"))
    damaged = {
        "data": _live_file(table),
        "first commit": commits[0],
        "last commit": commits[-1],
        "log": table / "_delta_log",
    }
    damage(damaged[which])
    lake = DeltaRsLake(LakeConfig(root=str(tmp_path)))
    for read in (
        lambda: lake.read("item_index", None, ["variant", "item_id"]),
        lambda: Lookup.open(tmp_path),
    ):
        with pytest.raises(UserError) as caught:
            read()
        said = str(caught.value)
        assert str(table) in said
        assert "`mv '" in said or "run stage index again" in said
        assert "\n" not in said
