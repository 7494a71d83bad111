"""Text files as a Spark frame of records: by Spark itself where it can, else by Python a file a
task.

Frames have `value`, a record without its line end, null where it is none; `_malformed`, its text
then; `_reason`, why; and the names of the folders `name=value` that the files lie in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.ingest.formats.base import MALFORMED, REASON, quoted_name
from llm_i2i_spark.ingest.formats.encodings import UNDECODABLE, UTF_8, text_of
from llm_i2i_spark.ingest.formats.files import RawFile, RawFiles, reader
from llm_i2i_spark.ingest.formats.quoting import Record

NOT_OF_THE_ENCODING = "bytes are not {}"
_SHOWN_CHARS = 10_000
_BATCH = 10_000

Split = Callable[[Iterable[str]], Iterator[Record]]
"""From lines with their ends to records."""


def line_by_line(lines: Iterable[str]) -> Iterator[Record]:
    """A record a line."""
    return (Record(line.rstrip("\r\n")) for line in lines)


@dataclass(frozen=True)
class TextFiles:
    """The text of a raw table's files.

    Attributes:
        files: where they are.
        encoding: of all of them.
        limit: read only about so many records; None for all.
    """

    files: RawFiles
    encoding: str
    limit: int | None = None

    def lines(self, spark: SparkSession) -> DataFrame:
        """A record a line; blank lines are left out."""
        if self.encoding == UTF_8 and self.files.spark_unpacks:
            return self._by_spark(spark)
        return self.records(spark, line_by_line)

    def records(self, spark: SparkSession, split: Split, piece_chars: int = -1) -> DataFrame:
        """Records that may be several lines; blank ones are left out.

        Args:
            spark: the session.
            split: makes records of lines.
            piece_chars: longer lines are given to `split` in pieces; -1 for whole.

        Raises:
            InputDataError: the files are remote.
        """
        files = self.files
        if files.is_remote:
            what = "rows over several lines" if self.encoding == UTF_8 else self.encoding
            raise InputDataError(
                f"{files.given} has {what}, which is read from local files only; copy it to this"
                " machine."
            )
        names = files.partition_names
        columns = ["value", MALFORMED, REASON, *names]
        schema = ", ".join(f"{quoted_name(name)} string" for name in columns)
        numbers = spark.range(len(files.files), numPartitions=len(files.files))
        reader = _reader(self, split, piece_chars, columns)
        rows = numbers.mapInArrow(reader, schema)
        return rows if self.limit is None else rows.limit(self.limit)

    def _by_spark(self, spark: SparkSession) -> DataFrame:
        rows = reader(spark, self.files).text(list(self.files.paths))
        names = [name for name in rows.columns if name != "value"]
        if self.limit is not None:
            rows = rows.limit(self.limit)
        rows = rows.where(F.trim("value") != "")
        good = F.is_valid_utf8("value")
        return rows.select(
            F.when(good, F.col("value")).alias("value"),
            F.when(~good, F.make_valid_utf8("value")).alias(MALFORMED),
            F.when(~good, F.lit(NOT_OF_THE_ENCODING.format("UTF-8"))).alias(REASON),
            *(F.col(quoted_name(name)) for name in names),
        )


def _reader(
    text: TextFiles, split: Split, piece_chars: int, columns: list[str]
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """For `mapInArrow`: from numbers of files to their records."""
    files, encoding, limit = text.files.files, text.encoding, text.limit
    problem = NOT_OF_THE_ENCODING.format(encoding.upper())

    def rows(file: RawFile) -> Iterator[tuple[str | None, str | None, str | None]]:
        with file.open() as stream:
            for record in islice(split(text_of(stream, encoding, piece_chars)), limit):
                text = record.text
                if UNDECODABLE in text:
                    shown = text[:_SHOWN_CHARS].replace(UNDECODABLE, "\ufffd")
                    yield None, shown, problem
                elif record.problem:
                    yield None, text[:_SHOWN_CHARS], record.problem
                elif text.strip():
                    yield text, None, None

    def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                values = [value for _, value in files[number].partition]
                source = rows(files[number])
                while chosen := list(islice(source, _BATCH)):
                    arrays = [
                        pa.array(list(part), pa.string()) for part in zip(*chosen, strict=True)
                    ]
                    arrays += [pa.array([value] * len(chosen), pa.string()) for value in values]
                    yield pa.RecordBatch.from_arrays(arrays, names=columns)

    return read
