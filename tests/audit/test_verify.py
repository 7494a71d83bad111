"""A verification finds what was damaged, says where, and writes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.manifest import write_manifest
from llm_i2i_spark.cli.main import main
from llm_i2i_spark.project import Project
from tests.audit.commits import BASE, REAL, SWING, Writer
from tests.stage_runs import put_rows

pytestmark = pytest.mark.spark


@pytest.fixture
def sound(copied, history, tmp_path) -> Path:
    """A lake whose checkpoint is there, as the rows of the other tables are; its folder."""
    lake, root = copied
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    digest = write_manifest(folder, {})
    rows = [("base", "generator", digest, str(folder), "compact", 0, "{}")]
    Writer(lake, history.config, "20260108T000000-real")("checkpoints", rows, {}, [BASE])
    return root


def _verified(root: Path):
    return {table.table: table for table in Project(root).verify().tables}


def _problem(root: Path, table: str) -> str:
    """The problems of a table, which must be the only one that has any."""
    found = Project(root).verify()
    assert [one.table for one in found.tables if not one.is_ok] == [table]
    assert not found.is_ok
    return "; ".join(next(one for one in found.tables if one.table == table).problems)


def _files(root: Path, table: str, version: int | None = None) -> list[Path]:
    uris = DeltaTable(str(root / table), version=version).file_uris()
    return [root / table / uri.rpartition("/")[2] for uri in uris]


def _tree(root: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def test_a_sound_lake_is_ok_and_stays_as_it_is(sound) -> None:
    before = _tree(sound)
    found = Project(sound).verify()
    assert [one.problems for one in found.tables if not one.is_ok] == []
    assert found.leftovers == ()
    assert _tree(sound) == before
    tables = {one.table: one for one in found.tables}
    assert (tables["fused"].rows, tables["fused"].readable) == (28, (0, 1, 2))
    assert tables["item_index"].versions == 3
    assert "keeps old versions for 7 days, not for the 90 days" in tables["items"].notes[0]
    assert "<table>" in found._repr_html_()


@pytest.mark.parametrize(
    ("table", "rows", "words"),
    [
        (
            "fused",
            [("real", "u1", "A", 2.0, "real", None, None, None)],
            "1 rows: edge_weight does not hold (weight > 0 AND weight <= 1)",
        ),
        (
            "fused",
            [("real", "u1", "A", 1.0, "real", None, None, None)] * 2,
            "1 keys (variant, user_id, item_id) have several rows",
        ),
        (
            "item_similarity",
            [("real", "swing", "A", "B", 1.0, 1, 1.5, None)],
            "1 rows: known_share does not hold",
        ),
    ],
)
def test_rows_against_the_contract_are_counted(sound, copied, history, table, rows, words) -> None:
    scope = REAL | SWING if table == "item_similarity" else REAL
    Writer(copied[0], history.config, "20260109T000000-poor")(table, rows, {}, [scope])
    assert words in _problem(sound, table)


def test_columns_that_do_not_fit_are_named(sound) -> None:
    rows = pa.table({"item_id": ["A"], "title": [7], "maker": ["x"], "brand": ["B"]})
    path = str(sound / "items")
    write_deltalake(path, rows, mode="overwrite", schema_mode="overwrite")
    problem = Project(sound).verify().tables[1].problems
    assert problem[:2] == (
        "column title is bigint, not string",
        "column maker is not in the contract",
    )
    assert "no column text yet" in Project(sound).verify().tables[1].notes


def test_the_same_bad_row_may_be_refused_twice(sound, copied, history) -> None:
    rows = [("interactions", "{}", "no user", "r")] * 2
    Writer(copied[0], history.config, "20260109T000000-poor")("quarantine", rows, {})
    assert _verified(sound)["quarantine"].is_ok


def test_lost_and_short_files_are_named(sound) -> None:
    (file,) = _files(sound, "item_similarity")[:1]
    file.write_bytes(file.read_bytes()[:-1])
    problem = _problem(sound, "item_similarity")
    assert f"{file.name} (another size)" in problem
    file.unlink()
    assert f"{file.name} (missing)" in _problem(sound, "item_similarity")


def test_an_old_version_within_the_horizon_that_is_gone_is_a_problem(sound) -> None:
    for file in _files(sound, "scored", 0):
        file.unlink()
    problem = _problem(sound, "scored")
    assert problem.startswith("v0 cannot be read, though lake.retention_days (90) reaches back")
    assert _verified(sound)["scored"].readable == (1,)


def test_a_torn_log_is_a_problem_of_its_table_alone(sound) -> None:
    log = sound / "candidates" / "_delta_log" / f"{1:020}.json"
    log.write_text(log.read_text()[:100])
    assert "its log cannot be read" in _problem(sound, "candidates")


def test_a_flipped_bit_in_a_page_is_found(sound, copied, history) -> None:
    lake, _ = copied
    rows = [("real", "swing", item, [("B", 1.0, 1, 0.0)]) for item in "ACDE"]
    put_rows(lake, history.config, "item_index", rows, [REAL | SWING])
    (file,) = [one for one in _files(sound, "item_index") if one.name.startswith("part-")][:1]
    content = bytearray(file.read_bytes())
    content[60] ^= 1  # in the first column's data, behind the header of its page
    file.write_bytes(bytes(content))
    assert f"{file.name} is damaged" in _problem(sound, "item_index")
    quick = Project(sound).verify(quick=True)
    assert quick.is_ok
    assert {one.rows for one in quick.tables} == {None}


def test_a_changed_model_is_found(sound, tmp_path) -> None:
    (tmp_path / "model" / "model.safetensors").write_bytes(b"weighty")
    assert "model.safetensors was changed after it was written" in _problem(sound, "checkpoints")


def test_orphans_and_leftovers_are_reported_with_their_bytes(sound) -> None:
    (sound / "fused" / "part-9.parquet").write_bytes(b"x" * 1234)
    (sound / "_staging" / "a").mkdir(parents=True)
    (sound / "_staging" / "a" / "part").write_bytes(b"x" * 10)
    (sound / "checkpoints_files" / "generator-1").mkdir(parents=True)
    (sound / "checkpoints_files" / "_partial" / "f").mkdir(parents=True)
    (sound / ".summary.json.ab.writing").write_bytes(b"x")
    found = Project(sound).verify()
    assert found.is_ok
    fused = next(one for one in found.tables if one.table == "fused")
    assert (fused.orphan_files, fused.orphan_bytes) == (1, 1234)
    assert "1 orphan files, 1.2 kB" in fused.line()
    assert {one.path: one.bytes for one in found.leftovers} == {
        "_staging/a": 10,
        "checkpoints_files/_partial/f": 0,
        "checkpoints_files/generator-1": 0,
        ".summary.json.ab.writing": 1,
    }


def test_the_command_has_a_line_a_table_and_exit_code_1_for_a_problem(sound, capsys) -> None:
    arguments = ["audit", "verify", "--set", f"lake.root={sound}"]
    assert main(arguments) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(_verified(sound))
    _files(sound, "scored")[0].unlink()
    assert main([*arguments, "--json"]) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("llm-i2i: 1 of ")
    values = json.loads(shown.out)
    assert not values["ok"]
    assert [one["table"] for one in values["tables"] if one["problems"]] == ["scored"]


def test_a_lake_elsewhere_is_a_sentence() -> None:
    with pytest.raises(UserError, match="mount an object store"):
        Project("s3://bucket/lake").verify()


def test_an_empty_folder_says_how_to_start(tmp_path) -> None:
    assert "start with: llm-i2i run" in str(Project(tmp_path).verify())
