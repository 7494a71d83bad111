"""A small log in every form that docs/forms.md promises to read, by the name it has there."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

ROWS = [("u1", "007", "1700000000"), ("u1", "é€", "1700000060"), ("u2", "7", "1700000120")]
"""user_id, item_id, ts of every sample, as text."""
NAMES = ("user_id", "item_id", "ts")
OBJECTS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
Write = Callable[[Path, Any], None]


def delimited(
    separator: str, names: bool = True, encoding: str = "utf-8", rows: Any = ROWS
) -> Write:
    def write(path: Path, _: Any) -> None:
        lines = [separator.join(row) for row in ([NAMES, *rows] if names else rows)]
        path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))

    return write


def text(content: str, encoding: str = "utf-8") -> Write:
    return lambda path, _: (path.write_bytes(content.encode(encoding)), None)[1]


def packed(pack: Callable[[bytes], bytes]) -> Write:
    def write(path: Path, spark: Any) -> None:
        delimited(",")(path, spark)
        path.write_bytes(pack(path.read_bytes()))

    return write


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


def zipped(path: Path, _: Any) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__MACOSX/._clicks.csv", "x")
        archive.writestr("data/clicks.csv", CSV)


def frame(spark: Any) -> Any:
    return spark.createDataFrame(ROWS, list(NAMES))


def by_spark(form: str) -> Write:
    return lambda path, spark: frame(spark).write.format(form).save(str(path))


def delta_features(path: Path, spark: Any) -> None:
    """Column mapping with a renamed column, deletion vectors with a deleted row."""
    table = f"delta.`{path}`"
    rows = spark.createDataFrame([*ROWS, ("gone", "x", "1")], ["user_id", "item", "ts"])
    rows.coalesce(1).write.format("delta").save(str(path))
    features = "'delta.columnMapping.mode'='name', 'delta.enableDeletionVectors'='true'"
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ({features})")
    spark.sql(f"ALTER TABLE {table} RENAME COLUMN item TO item_id")
    spark.sql(f"DELETE FROM {table} WHERE user_id = 'gone'")


def folder(path: Path, spark: Any) -> None:
    (path / "more").mkdir(parents=True)
    delimited(",", rows=ROWS[:2])(path / "a.csv", spark)
    delimited(",", rows=ROWS[2:])(path / "more" / "b.csv", spark)
    (path / "_SUCCESS").touch()


def days(path: Path, spark: Any) -> None:
    path.parent.mkdir()
    delimited(",", rows=ROWS[:2])(path.parent / "1.csv", spark)
    delimited(",", rows=ROWS[2:])(path.parent / "2.csv", spark)
    (path.parent / "notes.txt").write_text("not data")


def partitioned(ending: str, pack: Callable[[bytes], bytes]) -> Write:
    def write(path: Path, _: Any) -> None:
        for user, item, ts in ROWS:
            place = path / f"item_id={item}"
            place.mkdir(parents=True)
            (place / f"part-0{ending}").write_bytes(pack(f"user_id,ts\n{user},{ts}\n".encode()))

    return write


CSV = "".join(",".join(row) + "\n" for row in (NAMES, *ROWS))
LATIN = [("u1", "007", "1700000000"), ("u1", "Café", "1700000060"), ("u2", "7", "1700000120")]
CHINESE = [("u1", "007", "1700000000"), ("u1", "茶杯", "1700000060"), ("u2", "7", "1700000120")]
QUOTED = [("u1", 'a "b",\nc', "1700000000"), ("u1", "é€", "1700000060"), ("u2", "7", "1700000120")]
SESSIONS = [
    {
        "user_id": "u1",
        "events": [{"item_id": "007", "ts": 1700000000}, {"item_id": "é€", "ts": 1700000060}],
    },
    {"user_id": "empty", "events": []},
    {"user_id": "u2", "events": [{"item_id": "7", "ts": 1700000120}]},
]
LISTS = [("u1", "007", "0"), ("u1", "é€", "1"), ("u2", "7", "0")]


def json_lines(*objects: Any) -> str:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects)


# Form as in docs/forms.md -> how it is written, and the rows in it where they are not ROWS.
SAMPLES: dict[str, tuple[Write, list[tuple[str, ...]]]] = {
    "CSV with names": (delimited(","), ROWS),
    "CSV with semicolons": (delimited(";"), ROWS),
    "tabs": (
        text(
            "user_id\titem_id\tts\tnote\n" + "".join("\t".join(row) + "\ta, b, c\n" for row in ROWS)
        ),
        ROWS,
    ),
    "bars, any ending": (delimited("|"), ROWS),
    "blanks between names": (delimited("  "), ROWS),
    "another separator": (delimited("~~"), ROWS),
    "CSV without names": (delimited(",", names=False), ROWS),
    "tabs without names": (delimited("\t", names=False), ROWS),
    "blanks without names": (delimited(" ", names=False), ROWS),
    "`::` without names": (delimited("::", names=False), ROWS),
    "CSV as `DataFrame.to_csv` writes it": (
        lambda path, _: pd.DataFrame(OBJECTS).to_csv(path),
        ROWS,
    ),
    "CSV as R writes it": (
        text(
            '"user_id","item_id","ts"\n'
            + "".join(f'"{n}","{row[0]}","{row[1]}",{row[2]}\n' for n, row in enumerate(ROWS))
        ),
        ROWS,
    ),
    "CSV with blanks around names": (delimited(", "), ROWS),
    "CSV with newlines and quotes in fields": (
        lambda path, _: pd.DataFrame(QUOTED, columns=NAMES).to_csv(path, index=False),
        QUOTED,
    ),
    "CSV with backslashes before quotes": (
        text('user_id,item_id,ts\n"u1","5\\" cup, small",1700000000\n"u1",b,1700000060\n'),
        [("u1", '5" cup, small', "1700000000"), ("u1", "b", "1700000060")],
    ),
    "RecBole": (
        text(
            "user_id:token\titem_id:token\ttimestamp:float\n"
            + "".join("\t".join(row) + "\n" for row in ROWS)
        ),
        ROWS,
    ),
    "UTF-8 with byte-order mark": (delimited(",", encoding="utf-8-sig"), ROWS),
    "UTF-16 with byte-order mark": (delimited(",", encoding="utf-16"), ROWS),
    "GBK": (delimited(",", encoding="gbk", rows=CHINESE), CHINESE),
    "Latin-1": (delimited(",", encoding="latin-1", rows=LATIN), LATIN),
    "JSON lines": (text(json_lines(*OBJECTS)), ROWS),
    "JSON array": (text(json.dumps(OBJECTS, ensure_ascii=False)), ROWS),
    "JSON, pretty-printed": (text(json.dumps(OBJECTS, indent=2)), ROWS),
    "JSON with objects in objects": (
        text(
            json_lines(
                *({"who": {"id": user}, "item_id": item, "ts": int(ts)} for user, item, ts in ROWS)
            )
        ),
        ROWS,
    ),
    "Python literals": (text("".join(f"{one}\n" for one in OBJECTS)), ROWS),
    "sessions of events": (text(json_lines(*SESSIONS)), ROWS),
    "ids in a list": (
        text(
            json_lines(
                {"user_id": "u1", "item_id": ["007", "é€"]}, {"user_id": "u2", "item_id": ["7"]}
            )
        ),
        LISTS,
    ),
    "ids in a text": (text("user_id\titem_id\nu1\t007 é€\nu2\t7\n"), LISTS),
    "ids in a text, other separator": (text("user_id,item_id\nu1,007;é€\nu2,7\n"), LISTS),
    "a user and its items a line": (
        text("u1 007 8\nu2 7\n"),
        [("u1", "007", "0"), ("u1", "8", "1"), ("u2", "7", "0")],
    ),
    "gzip": (packed(gzip.compress), ROWS),
    "bzip2": (packed(bz2.compress), ROWS),
    "zstd": (packed(zstd), ROWS),
    "xz": (packed(lzma.compress), ROWS),
    "zip": (zipped, ROWS),
    "gzip without its ending": (packed(gzip.compress), ROWS),
    "Parquet": (by_spark("parquet"), ROWS),
    "ORC": (by_spark("orc"), ROWS),
    "Delta": (by_spark("delta"), ROWS),
    "Delta with deletion vectors and column mapping": (delta_features, ROWS),
    "table of the catalog": (
        lambda path, spark: frame(spark).createOrReplaceTempView(path.name),
        ROWS,
    ),
    "folder of files": (folder, ROWS),
    "pattern": (days, ROWS),
    "folders `name=value`": (partitioned(".csv", bytes), ROWS),
    "folders `name=value` of packed files": (partitioned(".csv.xz", lzma.compress), ROWS),
}
