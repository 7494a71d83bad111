"""The public data sets: their columns and fields, how they are recognised, and their oddities.

Amazon reviews 2014, 2018 and 2023 are JSON lines (the 2014 catalogue is Python literals, its
ratings also headerless CSV); MovieLens is CSV with a header, or, in its 1M and 10M editions, fields
between `::`.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa


@dataclass(frozen=True)
class Layout:
    """How one table of a public data set is written.

    Attributes:
        fields: DDL of the JSON fields that are read; numbers as strings, so that ids and times stay
            as written.
        columns: column that ingest reads -> field names; the first that is not null counts.
        headerless: column names, in order, of the edition whose files have no header.
    """

    fields: str
    columns: Mapping[str, tuple[str, ...]]
    headerless: tuple[str, ...] = field(default=())


_REVIEWS = "reviewerID string, asin string, unixReviewTime string, overall string"
_REVIEW_COLUMNS = {"user_id": ("reviewerID",), "item_id": ("asin",), "ts": ("unixReviewTime",)}

FORMATS: dict[str, dict[str, Layout]] = {
    "amazon2014": {
        "interactions": Layout(
            _REVIEWS, _REVIEW_COLUMNS, ("reviewerID", "asin", "overall", "unixReviewTime")
        ),
        "items": Layout(
            "asin string, title string, brand string, categories array<array<string>>, price"
            " string",
            {"item_id": ("asin",), "category": ("categories",)},
        ),
    },
    "amazon2018": {
        "interactions": Layout(
            _REVIEWS, _REVIEW_COLUMNS, ("asin", "reviewerID", "overall", "unixReviewTime")
        ),
        "items": Layout(
            "asin string, title string, brand string, category array<string>, main_cat string,"
            " price string",
            {"item_id": ("asin",), "category": ("category", "main_cat")},
        ),
    },
    "amazon2023": {
        "interactions": Layout(
            "user_id string, parent_asin string, asin string, timestamp string, rating string",
            {"item_id": ("parent_asin", "asin"), "ts": ("timestamp",)},
        ),
        "items": Layout(
            "parent_asin string, title string, store string, categories array<string>,"
            " main_category string, price string",
            {
                "item_id": ("parent_asin",),
                "brand": ("store",),
                "category": ("categories", "main_category"),
            },
        ),
    },
    "movielens": {
        "interactions": Layout(
            "userId string, movieId string, rating string, timestamp string",
            {"user_id": ("userId",), "item_id": ("movieId",), "ts": ("timestamp",)},
            ("userId", "movieId", "rating", "timestamp"),
        ),
        "items": Layout(
            "movieId string, title string, genres string",
            {"item_id": ("movieId",), "category": ("genres",)},
            ("movieId", "title", "genres"),
        ),
    },
}

# Columns by which a data set is recognised; the first that fits counts. The reviews of 2014 and
# 2018 have the same ones.
_SIGNATURES: dict[str, tuple[tuple[str, frozenset[str]], ...]] = {
    "interactions": (
        ("amazon2018", frozenset({"reviewerID", "asin"})),
        ("amazon2023", frozenset({"user_id", "parent_asin"})),
        ("movielens", frozenset({"userId", "movieId"})),
    ),
    "items": (
        ("amazon2023", frozenset({"parent_asin"})),
        ("amazon2014", frozenset({"asin", "categories"})),
        ("amazon2018", frozenset({"asin"})),
        ("movielens", frozenset({"movieId", "title"})),
    ),
}


def detect_public(table: str, names: Collection[str]) -> str | None:
    """The public data set that has these columns; None for a table with a column `item_id`, or an
    unknown one.
    """
    if "item_id" in names:
        return None
    return next(
        (public for public, signature in _SIGNATURES[table] if signature <= set(names)), None
    )


def line_fields(lines: Sequence[str]) -> tuple[set[str], bool]:
    """The fields of some lines of a file, and whether the lines are Python literals rather than
    JSON.
    """
    fields: set[str] = set()
    json_lines = literal_lines = 0
    for line in lines:
        record = _json_object(line)
        json_lines += record is not None
        if record is None:
            record = _literal(line)
            literal_lines += record is not None
        fields |= set(record or {})
    return fields, literal_lines > json_lines


def literals_to_json(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Rewrite lines that are Python dictionaries as JSON, for `mapInArrow`; other lines stay
    unchanged.

    Args:
        batches: one string column, `value`.
    """
    for batch in batches:
        lines = [_as_json(line) for line in batch.column(0).to_pylist()]
        yield pa.RecordBatch.from_arrays([pa.array(lines, pa.string())], names=["value"])


def _as_json(line: str) -> str:
    record = _literal(line)
    return line if record is None else json.dumps(record, ensure_ascii=False, default=str)


def _json_object(line: str) -> dict[str, object] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _literal(line: str) -> dict[str, object] | None:
    # literal_eval only builds values, it never runs code; what it raises on hostile text is listed
    # in its documentation.
    try:
        record = ast.literal_eval(line)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
