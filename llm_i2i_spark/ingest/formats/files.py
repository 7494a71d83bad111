"""The files of a raw table: found by path, folder or pattern, with a sample of their bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from pyspark.sql import DataFrame, DataFrameReader, SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.files import is_uri
from llm_i2i_spark.ingest.formats.compression import (
    UNPACK_ERRORS,
    UNPACKABLE,
    open_unpacked,
    packing_of,
    zip_member,
)
from llm_i2i_spark.ingest.formats.encodings import text_of
from llm_i2i_spark.ingest.formats.endings import UNPACKED_BY_SPARK
from llm_i2i_spark.ingest.source_versions import SourceVersion

SAMPLE_BYTES = 1 << 20
_SAMPLE_LINES = 1000
_FILES_A_JOB = 100
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class RawFile:
    """One local file with rows.

    Attributes:
        path: absolute.
        packing: such as `gz`; None for plain bytes.
        member: the file inside a zip archive.
        partition: names and values of the folders `name=value` that it lies in.
    """

    path: Path
    packing: str | None
    member: str | None = None
    partition: tuple[tuple[str, str | None], ...] = ()

    @property
    def name(self) -> str:
        """Of the file, or of the one inside the archive."""
        return Path(self.member or self.path.name).name

    def open(self) -> IO[bytes]:
        """Its bytes, unpacked."""
        return open_unpacked(self.path, self.packing, self.member)


@dataclass(frozen=True)
class RawFiles:
    """The files of one raw table.

    Attributes:
        given: the path as configured, for messages.
        paths: as Spark takes them.
        files: those on this machine, in order; none where the paths are remote.
        base: the folder below which a folder `day=2024-01-31` is a value of a column; None without
            such folders.
    """

    given: str
    paths: tuple[str, ...]
    files: tuple[RawFile, ...] = ()
    base: str | None = None

    @property
    def is_remote(self) -> bool:
        """Whether only Spark can read them."""
        return not self.files

    @property
    def name(self) -> str:
        """The name whose ending tells the format."""
        return self.files[0].name if self.files else self.given

    @property
    def partition_names(self) -> tuple[str, ...]:
        """Names of the folders `name=value` that the files lie in."""
        return tuple(name for name, _ in self.files[0].partition) if self.files else ()

    @property
    def spark_unpacks(self) -> bool:
        """Whether Spark reads the text of every file as it is."""
        odd_names = any(":" in path or "\\" in path for path in self.paths if not is_uri(path))
        return not odd_names and all(
            file.packing is None or file.path.suffix.lower() in UNPACKED_BY_SPARK
            for file in self.files
        )


def reader(spark: SparkSession, files: RawFiles) -> DataFrameReader:
    """A reader that finds the columns that are in the names of folders."""
    return spark.read.option("basePath", files.base) if files.base else spark.read


def raw_files(version: SourceVersion, wanted: tuple[str, ...] = ()) -> RawFiles:
    """The files of one state of a raw table.

    Args:
        version: the state.
        wanted: file names to pick out of an archive, such as those of a public data set.

    Raises:
        InputDataError: an archive has no file, or several.
    """
    paths, base = tuple(version.paths), version.partition_root
    if version.kind != "files":
        return RawFiles(version.path, paths or (version.root,), (), base)
    root = Path(version.root)
    files = tuple(_raw_file(root, Path(file), wanted) for file in version.files)
    return RawFiles(version.path, paths, files, base)


def read_head(spark: SparkSession | None, files: RawFiles) -> tuple[bytes, bool]:
    """The first bytes of the first file that has any, unpacked, and whether they are all the bytes
    of all the files.

    Raises:
        InputDataError: the files are empty, or torn.
    """
    if files.is_remote or any(file.packing not in UNPACKABLE for file in files.files):
        if spark is None:
            raise InputDataError(f"Only Spark can read {files.given}.")
        return _head_by_spark(spark, files)
    for number, file in enumerate(files.files):
        try:
            with file.open() as stream:
                head = stream.read(SAMPLE_BYTES + 1)
        except UNPACK_ERRORS as error:
            raise InputDataError(
                f"{file.path} cannot be unpacked ({str(error)[:120]}); fetch or pack it again."
            ) from None
        if head.strip():
            alone = len(files.files) == number + 1
            return head[:SAMPLE_BYTES], alone and len(head) <= SAMPLE_BYTES
    raise InputDataError(f"{files.given} is empty; name a file with rows.")


def first_lines(spark: SparkSession, files: RawFiles, encoding: str) -> dict[str, str]:
    """The first line that is not blank of every file that has one, by the file's name."""
    if files.is_remote:
        return _first_lines_by_spark(spark, files)
    found = {}
    for file in files.files:
        if file.packing in UNPACKABLE:
            with file.open() as stream:
                lines = (line.rstrip("\r\n") for line in text_of(stream, encoding))
                line = next((line for line in lines if line.strip()), None)
            if line is not None:
                found[str(file.path)] = line
    return found


def _first_lines_by_spark(spark: SparkSession, files: RawFiles) -> dict[str, str]:
    """One small job for every hundred files, which reads the first block of each."""
    listed = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
    paths = sorted(row["path"] for row in listed.load(list(files.paths)).select("path").collect())
    found: dict[str, str] = {}
    for start in range(0, len(paths), _FILES_A_JOB):
        firsts = [
            spark.read.text(path).where(F.trim("value") != "").limit(1).select(F.lit(path), "value")
            for path in paths[start : start + _FILES_A_JOB]
        ]
        found |= {row[0]: row[1] for row in reduce(DataFrame.unionAll, firsts).collect()}
    return found


def _head_by_spark(spark: SparkSession, files: RawFiles) -> tuple[bytes, bool]:
    """Spark's text source hands on the bytes of a line as they are."""
    lines = (
        reader(spark, files)
        .text(list(files.paths), lineSep="\n")
        .selectExpr("binary(value) AS bytes")
    )
    head = b"\n".join(bytes(row["bytes"]) for row in lines.take(_SAMPLE_LINES))[:SAMPLE_BYTES]
    if not head.strip():
        raise InputDataError(f"{files.given} is empty; name a file with rows.")
    return head + b"\n", False


def _raw_file(root: Path, file: Path, wanted: tuple[str, ...]) -> RawFile:
    packing = packing_of(file)
    member = zip_member(file, wanted) if packing == "zip" else None
    folders = file.relative_to(root).parts[:-1] if file.is_relative_to(root) else ()
    pairs = [folder.partition("=") for folder in folders if re.match(r"[^=]+=", folder)]
    partition = tuple(
        (unquote(name), None if value == _NULL_PARTITION else unquote(value))
        for name, _, value in pairs
    )
    return RawFile(file, packing, member, partition)
