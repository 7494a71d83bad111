"""JSON: an object a line, an array of objects, objects over several lines, and lines that are
Python literals. All simple values are text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from itertools import islice

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.ingest.formats.base import (
    LINE,
    MALFORMED,
    REASON,
    Fact,
    Given,
    Sample,
    quoted_name,
)
from llm_i2i_spark.ingest.formats.encodings import encoding_option
from llm_i2i_spark.ingest.formats.files import RawFiles
from llm_i2i_spark.ingest.formats.json_schema import json_fields
from llm_i2i_spark.ingest.formats.json_values import (
    json_object,
    json_values,
    literal_object,
    literals_to_json,
)
from llm_i2i_spark.ingest.formats.lines import TextFiles

_PIECE_CHARS = 1 << 20


@dataclass(frozen=True)
class JsonText:
    """Text that is JSON objects.

    Attributes:
        encoding: of the text.
        a_line_each: whether every object is a line of its own.
        literals: whether the lines are Python literals.
        fields: DDL of the fields to read; empty to find them out.
        names: fields of the sample.
        facts: what was found out, and why.
    """

    encoding: str
    a_line_each: bool
    literals: bool
    fields: str
    names: frozenset[str]
    facts: tuple[Fact, ...] = ()
    name: str = field(default="json", init=False)

    @classmethod
    def sniff(cls, sample: Sample, given: Given) -> JsonText | None:
        """How the objects stand in the text; None where it does not begin with one."""
        text, lines = sample.text.lstrip(), sample.lines(20)
        as_json = [one for one in map(json_object, lines) if one is not None]
        as_literals = [one for one in map(literal_object, lines) if one is not None]
        found = as_json or as_literals or re.match(r"\{|\[\s*(\{|$)", text)
        if given.format != cls.name and not found:
            return None
        literals = len(as_literals) > len(as_json)
        shape, a_line_each, why = "an object a line", True, "each line is one"
        if literals:
            shape, why = "a Python literal a line", "the lines are no JSON, but Python dictionaries"
        elif text.startswith("["):
            shape, a_line_each, why = "an array of objects", False, "the text begins with ["
        elif text.startswith("{") and (_goes_on(text) or any(map(_shared, lines))):
            shape, a_line_each, why = "objects", False, "an object goes over lines, or shares one"
        objects = as_literals if literals else as_json
        if not a_line_each:
            values = (json_object(record.text) for record in json_values([sample.text]))
            objects = list(islice(filter(None, values), 20))
        names = frozenset(name for one in objects for name in one)
        facts = (Fact("JSON", shape, why),)
        return cls(sample.encoding, a_line_each, literals, given.fields, names, facts)

    @property
    def options(self) -> dict[str, str]:
        """The format and, if it is no UTF-8, the encoding."""
        return {"format": self.name, **encoding_option(self.encoding)}

    def read(self, spark: SparkSession, files: RawFiles, limit: int | None) -> DataFrame:
        """A row an object; `_line` is the object as it is written."""
        text = TextFiles(files, self.encoding, limit)
        rows = (
            text.lines(spark)
            if self.a_line_each
            else text.records(spark, json_values, piece_chars=_PIECE_CHARS)
        )
        if self.literals:
            rows = rows.mapInArrow(literals_to_json, rows.schema)
        folders = [name for name in rows.columns if name not in ("value", MALFORMED, REASON)]
        rows = _without_shared_lines(rows)
        fields = self.fields or json_fields(rows, files.given)
        schema = ", ".join(filter(None, [fields, f"{MALFORMED} string"]))
        options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": MALFORMED}
        parsed = rows.select(
            F.col("value").alias(LINE),
            F.from_json("value", schema, options).alias("row"),
            MALFORMED,
            REASON,
            *(F.col(quoted_name(name)) for name in folders),
        )
        names = [name for name in parsed.select("row.*").columns if name != MALFORMED]
        return parsed.select(
            *(
                F.col(f"row.{quoted_name(name)}").alias(name)
                for name in names
                if name not in (*folders, REASON, LINE)
            ),
            *(F.col(quoted_name(name)) for name in folders),
            F.coalesce(MALFORMED, f"row.{MALFORMED}").alias(MALFORMED),
            REASON,
            LINE,
        )


def _shared(line: str) -> bool:
    """Whether a line has a second object behind its first."""
    try:
        _, end = json.JSONDecoder().raw_decode(line)
    except (ValueError, RecursionError):
        return False
    return line[end:].lstrip(" \t")[:1] == "{"


def _without_shared_lines(rows: DataFrame) -> DataFrame:
    """Rows with more than one object are malformed: Spark would read the first of them alone."""
    value = F.col("value")
    alone = F.json_array_length(F.concat(F.lit("["), value, F.lit("]"))).isNotNull()
    shared = F.coalesce(value.rlike(r"\}\s*\{") & ~alone, F.lit(False))
    return rows.withColumns(
        {
            MALFORMED: F.coalesce(MALFORMED, F.when(shared, value)),
            "value": F.when(~shared, value),
        }
    )


def _goes_on(text: str) -> bool:
    """Whether a first object does not end where its line ends."""
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        # Cut off by the end of the sample, or broken: one that goes over lines has a lone brace.
        return text[1:].lstrip(" \t")[:1] in ("\n", "\r")
    return "\n" in text[:end].strip() or text[end:].lstrip(" \t")[:1] == "{"
