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
_TOKEN = re.compile(r'\\(?:.|$)|["{}\[\]]', re.DOTALL)
_FLAT_OBJECT = re.compile(r"\{[^{}]*\}")
_OPENED_BY = {"}": "{", "]": "["}
_LINE_ENDS = re.compile(r"[\r\n]+")


class JsonValues:
    """Cuts a stream of text into the JSON objects in it, which stay as they are written.

    Objects inside a top-level array count one by one; text between objects that is neither blank
    nor a comma is a record with a problem.
    """

    def __init__(self) -> None:
        self._open: list[str] = []
        self._in_array = self._in_text = self._in_escape = False
        self._parts: list[str] = []

    def split(self, pieces: Iterable[str]) -> Iterator[Record]:
        """The objects of a text that comes in pieces of any size."""
        for piece in pieces:
            yield from self._advance(piece)
        if self._open:
            yield from self._swallowed()
        else:
            yield from self._between("")

    def _advance(self, text: str) -> Iterator[Record]:
        start, escaped = 0, self._in_escape
        self._in_escape = False
        for token in _TOKEN.finditer(text, 1 if escaped else 0):
            mark = token.group()
            if self._in_text or mark == '"':
                self._in_text ^= mark == '"'
                self._in_escape = mark == "\\"  # whose second character is in the next piece
            elif mark in "{[":
                if not self._open:
                    yield from self._between(text[start : token.start()])
                    start = token.start()
                    if mark == "[" and not self._in_array:
                        self._in_array, start = True, token.end()
                        continue
                self._open.append(mark)
            elif mark in "}]" and self._open:
                self._parts.append(text[start : token.end()])
                start = token.end()
                if _OPENED_BY[mark] != self._open.pop():
                    self._open = []
                    yield from self._swallowed()
                elif not self._open:
                    yield Record(self._taken())
            elif mark == "]" and self._in_array:
                yield from self._between(text[start : token.start()])
                self._in_array, start = False, token.end()
        self._parts.append(text[start:])

    def _between(self, text: str) -> Iterator[Record]:
        """What stands between objects."""
        self._parts.append(text)
        left_over = self._taken().strip(" \t,")
        if left_over:
            yield Record(left_over, "line is malformed")

    def _swallowed(self) -> Iterator[Record]:
        """A value without its end. A brace that is missing has swallowed what follows: every object
        of it is counted, so that the loss is seen.
        """
        text = self._taken().strip(" \t,")
        for lost in _FLAT_OBJECT.findall(text) or [text]:
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
