"""Delimited text: CSV, tabs, `::`, blanks or any other separator, with or without a line of names.
All columns are text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.ingest.formats.base import MALFORMED, REASON, Fact, Given, Sample, quoted_name
from llm_i2i_spark.ingest.formats.encodings import encoding_option
from llm_i2i_spark.ingest.formats.files import RawFiles, first_lines
from llm_i2i_spark.ingest.formats.headers import check_header, column_names, names_of, split_fields
from llm_i2i_spark.ingest.formats.lines import TextFiles
from llm_i2i_spark.ingest.formats.quoting import (
    QUOTE,
    QuotedFields,
    QuoteStyle,
    choose_style,
    count_states,
    join_records,
)
from llm_i2i_spark.ingest.formats.separators import BLANKS, Separator, find_separator

_UNQUOTED = QuoteStyle(False, '"', False, "as this data set has it")
_TEXT_SEPARATORS = ("\t", "\x01", BLANKS)
"""Between these, quotes are text unless a field needs them."""
_CORRUPT = "_corrupt"
_NO_QUOTE = "\uffff"
"""A character that no text has: Spark takes NUL for the quote where it is given none."""
_HEADER_LINES = 200


@dataclass(frozen=True)
class Delimited:
    """Text with a separator between the fields of a row.

    Attributes:
        path: as configured, for messages.
        separator: between fields.
        columns: names, in order.
        has_header: whether the first line has the names.
        style: how the sample quotes.
        encoding: of the text.
        trimmed: whether blanks behind separators belong to them.
        complete: whether the sample was all there is, so that nothing else can turn up.
        facts: what was found out, and why.
    """

    path: str
    separator: Separator
    columns: tuple[str, ...]
    has_header: bool
    style: QuoteStyle
    encoding: str
    trimmed: bool
    complete: bool
    facts: tuple[Fact, ...] = ()
    name: str = field(default="csv", init=False)

    @classmethod
    def sniff(cls, sample: Sample, given: Given) -> Delimited | None:
        """The separator, the quotes and the columns; None where no separator splits the lines.

        Raises:
            UserError: the first line is data and `ingest.header` says no names, or others than fit.
        """
        lines = sample.lines()
        separator = find_separator(lines, sample.name, given.separator)
        if separator is None:
            return None
        style = _UNQUOTED
        if given.quoted is not False and separator.text != BLANKS:
            counts = count_states(lines, separator.text)
            style = choose_style(counts, separator.text not in _TEXT_SEPARATORS)
        rows = [split_fields(line, separator.text, style) for line in lines[:_HEADER_LINES]]
        header = given.header
        if given.usual_header and rows and not set(given.usual_header) & set(rows[0]):
            header = header or given.usual_header
        check_header(
            rows, header, given.known_names, separator, path=sample.path, table=given.table
        )
        names = header or names_of(rows)
        reason = "as ingest.header says" if given.header else "as this data set is published"
        return cls(
            sample.path,
            separator,
            names,
            not header,
            style,
            sample.encoding,
            bool(rows) and _blanks_follow(lines, separator.text),
            sample.complete,
            (
                Fact("separator", separator.shown, separator.why),
                Fact("quotes", "enclose fields" if style.quoted else "are text", style.why),
                Fact("header", "none", reason)
                if header
                else Fact("header", "the first line", f"{len(names)} names"),
            ),
        )

    @property
    def options(self) -> dict[str, str]:
        """The format, and what is not as in most files."""
        separator = {} if self.separator.text == "," else {"separator": self.separator.option}
        header = {} if self.has_header else {"header": ",".join(self.columns)}
        return {"format": self.name, **separator, **encoding_option(self.encoding), **header}

    def read(self, spark: SparkSession, files: RawFiles, limit: int | None) -> DataFrame:
        """A row a record; all columns are text.

        Raises:
            InputDataError: the files have different first lines.
        """
        style, text = self.style, TextFiles(files, self.encoding, limit)
        if limit is None and not self.complete and self.style is not _UNQUOTED:
            style = self._style_of_all(text.lines(spark))
        if style.spans_lines:
            fields = QuotedFields(self.separator.text, style.escape)
            split = partial(join_records, fields=fields, width=len(self.columns))
            rows = text.records(spark, split)
        else:
            rows = text.lines(spark)
        if self.has_header:
            names = self._header_lines(spark, files, style)
            rows = rows.where(F.col("value").isNull() | ~F.col("value").isin(names))
        return self._parsed(rows, style)

    def _style_of_all(self, lines: DataFrame) -> QuoteStyle:
        """How all of the files quote: one pass over their lines, of which those with a quote are
        looked at.
        """
        separator = self.separator.text

        def count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            total: Counter[str] = Counter()
            for batch in batches:
                total += count_states(batch.column(0).to_pylist(), separator)
            yield pa.RecordBatch.from_pydict(
                {"state": list(total), "lines": pa.array(total.values(), pa.int64())}
            )

        quoted = lines.select("value").where(F.contains("value", F.lit(QUOTE)))
        counts = quoted.mapInArrow(count, "state string, lines long")
        found = counts.groupBy("state").agg(F.sum("lines").alias("lines")).collect()
        total = Counter({row["state"]: row["lines"] for row in found})
        return choose_style(total, separator not in _TEXT_SEPARATORS)

    def _header_lines(self, spark: SparkSession, files: RawFiles, style: QuoteStyle) -> list[str]:
        """The first lines of all files, each once; a row that equals one of them is no data."""
        lines = first_lines(spark, files, self.encoding)
        for name, line in lines.items():
            names = column_names(split_fields(line, self.separator.text, style))
            if names not in (self.columns, self.columns[1:], self.columns[:-1]):
                raise InputDataError(
                    f"The files of {self.path} have different columns: {', '.join(self.columns)}"
                    f" in the first one, and {', '.join(names)} in {name}; give them the same ones"
                    " in the same order."
                )
        return sorted(set(lines.values()))

    def _parsed(self, rows: DataFrame, style: QuoteStyle) -> DataFrame:
        text, separator = F.col("value"), self.separator.text
        if separator == BLANKS:
            text = F.regexp_replace(F.trim(F.translate(text, "\t", " ")), " +", "\t")
            separator = "\t"
        keys = [f"c{number}" for number in range(len(self.columns))]
        schema = ", ".join(f"{key} string" for key in [*keys, _CORRUPT])
        options = {
            "sep": separator,
            "quote": QUOTE if style.quoted else _NO_QUOTE,
            "escape": style.escape,
            "ignoreLeadingWhiteSpace": str(self.trimmed).lower(),
            "ignoreTrailingWhiteSpace": "false",
            "mode": "PERMISSIVE",
            "columnNameOfCorruptRecord": _CORRUPT,
        }
        folders = [name for name in rows.columns if name not in ("value", MALFORMED, REASON)]
        parsed = rows.select(
            F.from_csv(text, schema, options).alias("row"),
            MALFORMED,
            REASON,
            *(F.col(quoted_name(name)) for name in folders),
        )
        return parsed.select(
            *(
                F.col(f"row.{key}").alias(name)
                for key, name in zip(keys, self.columns, strict=True)
                if name not in folders
            ),
            *(F.col(quoted_name(name)) for name in folders),
            F.coalesce(MALFORMED, f"row.{_CORRUPT}").alias(MALFORMED),
            REASON,
        )


def _blanks_follow(lines: list[str], separator: str) -> bool:
    """Whether a blank follows every separator: it belongs to the separator then."""
    if separator.isspace() or separator == BLANKS:
        return False
    return separator in lines[0] and all(
        line.count(separator) == line.count(separator + " ") for line in lines
    )
