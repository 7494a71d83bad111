"""Which rows, texts and files are of a user, without Spark."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import CommitProperties, write_deltalake

from llm_i2i_spark.audit.erasure.holdings import HeldFile
from llm_i2i_spark.audit.erasure.matching import Users
from llm_i2i_spark.audit.erasure.other_files import holds_users, other_files, source_files
from llm_i2i_spark.audit.erasure.survey import EXPERIMENTS, survey_lake
from llm_i2i_spark.base.contract import UserIds
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.experiments.experiment_lake import FOLDER
from llm_i2i_spark.lake.forgotten import forget_users, forgotten_users
from llm_i2i_spark.lake.kept_results import KeptResults
from llm_i2i_spark.lake.unfinished_work import INFERENCE_FOLDER


def found(users: Users, values: list[object], kind: UserIds = "id") -> list[bool]:
    column = pa.chunked_array([pa.array(values)])
    return users.are_in({"column": column}, {"column": kind}).tolist()


def test_ids_are_byte_exact_and_sessions_belong_to_their_user() -> None:
    values = ["u1", "u11", "U1", " u1", None, "u1#2", "u1#2#3", "u1#x"]
    assert found(Users(["u1"]), values) == [True, *[False] * 7]
    assert found(Users(["u1"], in_sessions=True), values) == [
        *(True, False, False, False),
        *(False, True, False, False),
    ]
    assert found(Users(["u1#2"], in_sessions=True), values) == [*[False] * 6, True, False]
    assert found(Users(["7"]), [7, 70]) == [True, False]


def test_votes_are_found_by_the_user_of_the_example() -> None:
    votes = [
        [{"example_id": "u2|1"}, {"example_id": "u1|3"}],
        [],
        None,
        [{"example_id": "u2|u1"}, {"example_id": "u1|x|1"}],
    ]
    assert found(Users(["u1"]), votes, "votes") == [True, False, False, False]


@pytest.mark.parametrize("user", ["u1", "7", "a.b", "x y", 'q"t', "é", "(", "用户", "u1\\"])
def test_an_id_in_a_text_stands_by_itself(user: str) -> None:
    users = Users([user])
    inner = [f'{{"user":"{user}"}}', f"{user},B,1", f"a\t{user}", user]
    others = [f"x{user}x", f"{user}9", "", None, f"é{user}é"]
    assert found(users, [*inner, *others], "text") == [True] * 4 + [False] * 5
    assert users.are_in_bytes(f"<td>{user}</td>".encode())
    assert not users.are_in_bytes(f"_{user}_".encode())
    assert users.are_quoted_in(f'"minValues":{{"user_id":"{user}"'.encode())


def test_statistics_keep_the_first_characters_of_a_long_id() -> None:
    users = Users(["0123456789" * 4])
    assert users.are_quoted_in(b'{\\"user_id\\":\\"01234567890123456789012345678901\\"}')
    assert not users.are_quoted_in(b'{\\"user_id\\":\\"0123456789\\"}')


def test_every_contract_says_which_of_its_columns_name_users() -> None:
    known = {(table.name, column) for table in TABLES.values() for column in table.user_ids}
    named = {
        (table.name, column.name)
        for table in TABLES.values()
        for column in table.columns
        if "user_id" in column.name or "example_id:" in column.type
    }
    assert known == named | {("quarantine", "raw")}
    with_examples = {name for name, table in TABLES.items() if "example_id" in table.names}
    assert with_examples <= {name for name, _ in named}  # its id stands beside that of its user


def test_files_of_every_kind_are_looked_into(tmp_path: Path) -> None:
    users, text = Users(["u1"]), b"user,item\nu1,A\n"
    content = {
        "log.csv": text,
        "log.csv.gz": gzip.compress(text),
        "log.csv.bz2": bz2.compress(text),
        "others.csv": text.replace(b"u1", b"u2"),
        "log.zip": text,
        "torn.csv.gz": gzip.compress(text)[:-9],
    }
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    nested = pa.table({"event": [{"user": "u2", "seen": ["A"]}, {"user": "u1", "seen": []}]})
    pq.write_table(nested, tmp_path / "log.parquet")
    pq.write_table(nested.slice(0, 1), tmp_path / "others.parquet")
    looked = {name.name: holds_users(name, users) for name in tmp_path.iterdir()}
    assert looked == {
        **dict.fromkeys(("log.csv", "log.csv.gz", "log.csv.bz2", "log.parquet"), True),
        **dict.fromkeys(("others.csv", "others.parquet"), False),
        **dict.fromkeys(("log.zip", "torn.csv.gz"), None),
    }
    named = [str(tmp_path / "log.csv"), "catalog.schema.log"]
    assert [one.holds for one in source_files(named, users)] == [True, None]


def test_results_that_a_stopped_run_keeps_are_looked_into(tmp_path: Path) -> None:
    kept = KeptResults(str(tmp_path / INFERENCE_FOLDER / "f"), "candidates")
    kept.write("k", pa.RecordBatch.from_pydict({"user_id": ["u1", "u2"], "item_id": ["a", "b"]}))
    (file,) = (Path(kept.folder)).iterdir()
    assert list(other_files(tmp_path, Users(["u1"]))) == [HeldFile(str(file))]
    assert list(other_files(tmp_path, Users(["u3"]))) == []


def test_a_long_file_is_searched_across_its_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_i2i_spark.audit.erasure.other_files.BLOCK_BYTES", 10)
    for place in range(25):
        (tmp_path / "log").write_bytes(b" " * place + b"user_one" + b" " * 10)
        assert holds_users(tmp_path / "log", Users(["user_one"]))


def test_the_list_holds_no_ids_and_grows_by_who_is_new(tmp_path: Path) -> None:
    assert forgotten_users(tmp_path).hashes == ()
    first = forget_users(tmp_path, ["u1", "u2"])
    assert ("u1" in first, "u3" in first) == (True, False)
    assert forget_users(tmp_path, ["u2"]) == first == forgotten_users(tmp_path)
    more = forget_users(tmp_path, ["u3"])
    assert (more.salt, len(more.hashes), more.description) == (first.salt, 3, "3 users")
    assert more.digest != first.digest
    assert not any(b"u1" in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    elsewhere = forget_users(tmp_path / "other", ["u1"])
    assert set(elsewhere.hashes).isdisjoint(more.hashes)  # another lake, another salt


def test_sessions_and_the_lake_of_the_experiments_are_surveyed_too(tmp_path: Path) -> None:
    config = load_config([], [f"lake.root={tmp_path}", "ingest.session_gap=1d"])
    settings = {"ingest.session_gap": "1d"}
    pinned = PinnedRun("r", "ingest", {}, scopes=({},), settings=settings)
    record = pinned.record(config, "interactions").to_json()
    rows = pa.table({"user_id": ["u1#1", "u1#2", "u11#1"], "item_id": ["A", "B", "A"]})
    for folder in (tmp_path, tmp_path / EXPERIMENTS):
        write_deltalake(
            str(folder / "interactions"),
            rows,
            commit_properties=CommitProperties(custom_metadata={"userMetadata": record}),
        )
    held = survey_lake(LakeConfig(root=str(tmp_path)), ["u1"])
    assert [(Path(one.lake).name, one.rows) for one in held.rows] == [
        (tmp_path.name, 2),
        (EXPERIMENTS, 2),
    ]
    assert EXPERIMENTS == FOLDER


def test_a_damaged_file_is_named_and_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    folder = tmp_path / "interactions"
    write_deltalake(str(folder), pa.table({"user_id": ["u1"], "item_id": ["A"]}))
    file = next(folder.glob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-20])
    held = survey_lake(LakeConfig(root=str(tmp_path)), ["u1"])
    assert held.unread == (str(file),)
