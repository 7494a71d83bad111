"""JSON values as lines: the elements of an array, objects over several lines, several on one line;
and lines that are Python literals.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator

import pyarrow as pa

from llm_i2i_spark.ingest.formats.quoting import Record

UNFINISHED = "JSON ends inside a value"
_TOKEN = re.compile(r'\\.|["{}\[\]]', re.DOTALL)
_FLAT_OBJECT = re.compile(r"\{[^{}]*\}")
_LINE_ENDS = re.compile(r"[\r\n]+")


class JsonValues:
    """Cuts a stream of text into the JSON objects in it, which stay as they are written.

    Objects inside a top-level array count one by one; text between objects that is neither blank
    nor a comma is a record with a problem.
    """

    def __init__(self) -> None:
        self._depth, self._base, self._inside_text = 0, 0, False
        self._parts: list[str] = []

    def split(self, pieces: Iterable[str]) -> Iterator[Record]:
        """The objects of a text that comes in pieces of any size."""
        rest = ""
        for piece in pieces:
            text, rest = rest + piece, ""
            if self._inside_text and text.endswith("\\"):
                text, rest = text[:-1], "\\"
            yield from self._advance(text)
        yield from self._end(rest)

    def _advance(self, text: str) -> Iterator[Record]:
        start = 0
        for token in _TOKEN.finditer(text):
            mark = token.group()
            if self._inside_text or mark == '"':
                if mark == '"':
                    self._inside_text = not self._inside_text
            elif mark in "{[":
                if self._depth == self._base:
                    yield from self._between(text[start : token.start()])
                    start = token.start()
                    if mark == "[" and self._depth == 0:
                        self._base, start = 1, token.end()
                self._depth += 1
            elif mark in "}]" and self._depth:
                self._depth -= 1
                if self._depth < self._base:
                    yield from self._between(text[start : token.start()])
                    self._base, start = 0, token.end()
                elif self._depth == self._base:
                    self._parts.append(text[start : token.end()])
                    start = token.end()
                    yield Record(self._taken())
        self._parts.append(text[start:])

    def _between(self, text: str) -> Iterator[Record]:
        """What stands between objects."""
        self._parts.append(text)
        left_over = self._taken().strip(" \t,")
        if left_over:
            yield Record(left_over, "line is malformed")

    def _end(self, rest: str) -> Iterator[Record]:
        self._parts.append(rest)
        text = self._taken().strip(" \t,")
        if not text:
            return
        # A brace that is missing somewhere has swallowed what follows: each object of it is
        # counted, so that the loss is seen.
        swallowed = _FLAT_OBJECT.findall(text) if self._depth > self._base else []
        for lost in swallowed or [text]:
            yield Record(lost, UNFINISHED)

    def _taken(self) -> str:
        text = _LINE_ENDS.sub(" ", "".join(self._parts))
        self._parts = []
        return text


def json_values(pieces: Iterable[str]) -> Iterator[Record]:
    """The JSON objects of one file."""
    return JsonValues().split(pieces)


def json_object(line: str) -> dict[str, object] | None:
    """The object that a line is; None where it is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def literal_object(line: str) -> dict[str, object] | None:
    """The dictionary that a line is as a Python literal; None where it is none."""
    # literal_eval only builds values, it never runs code; what it raises on hostile text is listed
    # in its documentation.
    try:
        record = ast.literal_eval(line)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def literals_to_json(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Rewrite the column `value`, lines that are Python dictionaries, as JSON, for `mapInArrow`;
    other lines stay unchanged.
    """
    for batch in batches:
        number = batch.schema.get_field_index("value")
        lines = pa.array([_as_json(line) for line in batch.column(number).to_pylist()], pa.string())
        columns = [lines if i == number else batch.column(i) for i in range(batch.num_columns)]
        yield pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _as_json(line: str | None) -> str | None:
    record = literal_object(line) if line else None
    return line if record is None else json.dumps(record, ensure_ascii=False, default=str)
