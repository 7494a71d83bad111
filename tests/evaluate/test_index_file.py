"""An index that any program wrote: every form gives the same lists, or one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.evaluate.external_index import external_lists
from llm_i2i_spark.evaluate.index_file import read_index_file, require_index_file
from llm_i2i_spark.lake.row_files import explained_rows

ROWS = [("7", 1, "8", 0.5), ("7", 2, "9", 0.25), ("8", 1, "7", 0.5)]
COLUMNS = ["item_id", "rank", "neighbor_id", "score"]
LISTS = {"7": [("8", 0.5, 1), ("9", 0.25, 2)], "8": [("7", 0.5, 1)]}


def index(ids: type = str) -> pd.DataFrame:
    """The rows with ids of a type."""
    return pd.DataFrame([(ids(a), b, ids(c), d) for a, b, c, d in ROWS], columns=COLUMNS)


def lists(spark: SparkSession, path: Path, known: tuple[str, ...] = ("7", "8", "9")) -> Any:
    """The lists of a file, by item."""
    items = spark.createDataFrame([(item,) for item in known], "item_id string")
    with explained_rows("index", str(path)):
        found = external_lists({"mine": read_index_file(spark, str(path))}, 200, items)
    return {
        row["item_id"]: [(one["item_id"], one["score"], one["rank"]) for one in row["neighbors"]]
        for row in found.collect()
    }


def write_json_lists(path: Path) -> None:
    """A line an item, as `index-export` writes it."""
    lines = (
        {"item_id": item, "neighbors": [{"item_id": a, "score": b, "rank": c} for a, b, c in rows]}
        for item, rows in LISTS.items()
    )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_folder(path: Path) -> None:
    """A folder of files, one of them not of the index."""
    path.mkdir()
    (path / "_SUCCESS").touch()
    index().to_csv(path / "part-0.csv", index=False)


FORMS: dict[str, Callable[[Path], Any]] = {
    "text.parquet": lambda path: index().to_parquet(path),
    "whole.parquet": lambda path: index(int).to_parquet(path),
    "decimals.parquet": lambda path: index(float).to_parquet(path),
    "text.csv": lambda path: index().to_csv(path, index=False),
    "decimals.csv": lambda path: index(float).to_csv(path, index=False),
    "with an index.csv.gz": lambda path: index().to_csv(path),
    "tabs.tsv": lambda path: index().to_csv(path, sep="\t", index=False),
    "rows.jsonl": lambda path: index().to_json(path, orient="records", lines=True),
    "numbers.json": lambda path: index(int).to_json(path, orient="records", lines=True),
    "lists.jsonl": write_json_lists,
    "a folder, é": write_folder,
    "no ending": lambda path: index().to_parquet(path),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_and_type_of_id_gives_the_same_lists(
    spark: SparkSession, tmp_path: Path, name: str
) -> None:
    FORMS[name](tmp_path / name)
    require_index_file(str(tmp_path / name))
    assert lists(spark, tmp_path / name) == LISTS


def test_a_delta_folder_is_read_as_one(spark: SparkSession, tmp_path: Path) -> None:
    frame = spark.createDataFrame(index())
    frame.withColumn("score", frame["score"] * 2).write.format("delta").save(str(tmp_path / "i"))
    frame.write.format("delta").mode("overwrite").save(str(tmp_path / "i"))
    assert lists(spark, tmp_path / "i") == LISTS


def test_ids_that_the_log_writes_with_decimals_stay_so(spark: SparkSession, tmp_path: Path) -> None:
    index(float).to_csv(tmp_path / "i.csv", index=False)
    assert set(lists(spark, tmp_path / "i.csv", known=("7.0", "8.0"))) == {"7.0", "8.0"}


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("i.csv", {"score": ["high", 1, 1]}, r"1 rows .* \(in score\)"),
        ("i.parquet", {"score": ["high", "1", "1"]}, r"1 rows .* \(in score\)"),
        ("i.csv", {"score": [float("inf"), 1, 1]}, r"1 rows .* \(in score\)"),
        ("i.csv", {"rank": ["first", 2, 1]}, r"1 rows .* \(in rank\)"),
        ("i.parquet", {"rank": [1.5, 2, 1]}, r"1 rows .* \(in rank\)"),
        ("i.parquet", {"item_id": [7.5, 7, 8]}, r"1 rows .* \(in item_id\)"),
        ("i.parquet", {"neighbor_id": [8, None, None]}, r"2 rows .* \(in neighbor_id\)"),
        (
            "i.csv",
            {"item_id": ["x", "y", "z"]},
            "None of the item ids .* 'x'.* such as '7'",
        ),
        ("i.parquet", {"item_id": [True, False, True]}, "Ids must be text or whole numbers"),
    ],
)
def test_what_is_no_index_is_one_sentence(
    spark: SparkSession, tmp_path: Path, name: str, change: dict[str, list[Any]], words: str
) -> None:
    frame = index().assign(**change)
    write = frame.to_parquet if name.endswith("parquet") else frame.to_csv
    write(tmp_path / name, index=False)
    with pytest.raises(InputDataError, match=words) as caught:
        lists(spark, tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_file_of_another_form_and_one_without_rows_are_one_sentence(
    spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "junk.parquet").write_bytes(b"hello" * 100)
    with pytest.raises(InputDataError, match=r"cannot read .*is not a Parquet file.*must be Parq"):
        lists(spark, tmp_path / "junk.parquet")
    (tmp_path / "head.csv").write_text(",".join(COLUMNS) + "\n")
    with pytest.raises(InputDataError, match="has no rows"):
        lists(spark, tmp_path / "head.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputDataError, match="lacks item_id, rank"):
        lists(spark, tmp_path / "other.csv")


def test_what_spark_would_not_read_is_said_before_it_starts(tmp_path: Path) -> None:
    for name in ("_index.csv", ".index.csv", "index:2024.csv"):
        (tmp_path / name).write_text("x")
        with pytest.raises(InputDataError, match="rename it"):
            require_index_file(str(tmp_path / name))
    (tmp_path / "empty.csv").touch()
    with pytest.raises(InputDataError, match="is empty"):
        require_index_file(str(tmp_path / "empty.csv"))
    with pytest.raises(InputDataError, match=r"There is no file nowhere\.csv"):
        require_index_file("nowhere.csv")
    require_index_file("s3://bucket/index.csv")
