"""`lookup` as it is typed: which ids it asks for, and what it says about unknown ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_i2i_spark.cli.main import main
from tests.serving.indexes import table_rows, write_lake

LISTS = {
    item: [(f"after {item}", 1.0, None)] for item in ("7", "007", "a", "b", "a,b", " padded ", "-1")
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(write_lake(tmp_path_factory.mktemp("lake"), table_rows(LISTS)))


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        (["--items", "007, 7"], ["007", "7"]),
        (["--items", " a ,,b, "], ["a", "b"]),
        (["--item", "a,b"], ["a,b"]),
        (["--item", " a ", "--item", "b"], ["a", "b"]),
        (["--items", "a", "--item", "a,b"], ["a", "a,b"]),
        (["--item", " padded "], [" padded "]),
        (["--items=-1"], ["-1"]),
    ],
)
def test_ids_are_asked_for_as_they_are_meant(
    lake: Path, capsys: pytest.CaptureFixture[str], typed: list[str], asked: list[str]
) -> None:
    assert main(["lookup", "--set", f"lake.root={lake}", *typed]) == 0
    out, err = capsys.readouterr()
    assert {json.loads(line)["item_id"] for line in out.splitlines()} == {
        f"after {item}" for item in asked
    }
    assert err == ""


def test_unknown_ids_are_named_on_standard_error(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lookup", "--set", f"lake.root={lake}", "--items", "nosuch, a, 07,nosuch"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    assert err == "the index does not know 'nosuch', '07'\n"


def test_known_ids_without_neighbours_are_said_to_have_none(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lookup", "--set", f"lake.root={lake}", "--item", "after a"]) == 0
    assert capsys.readouterr() == (
        "",
        "the index has no neighbours for these items that are not among them\n",
    )
