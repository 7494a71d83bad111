"""Which form the files of a raw table have: as configured, by the name's ending, or by the first
bytes.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from pyspark.sql import SparkSession

from llm_i2i_spark.base.errors import ConfigError, InputDataError
from llm_i2i_spark.ingest.formats.base import Fact, Form, Given, Sample
from llm_i2i_spark.ingest.formats.columnar import COLUMNAR, MAGIC, Columnar
from llm_i2i_spark.ingest.formats.delimited import Delimited
from llm_i2i_spark.ingest.formats.encodings import decode, find_encoding
from llm_i2i_spark.ingest.formats.endings import COLUMNAR as COLUMNAR_ENDINGS
from llm_i2i_spark.ingest.formats.endings import (
    NOT_READ,
    PACKED,
    UNPACKED_BY_SPARK,
    ending_of,
)
from llm_i2i_spark.ingest.formats.endings import TEXT as TEXT_ENDINGS
from llm_i2i_spark.ingest.formats.files import RawFiles, read_head
from llm_i2i_spark.ingest.formats.item_lists import ItemLists
from llm_i2i_spark.ingest.formats.json_text import JsonText

_FEW_CONTROLS = 0.1
"""Share of control characters from which on a file is no text."""
_CONTROL = re.compile(r"[\x00\x02-\x08\x0e-\x1f]")
_SNIFFED = (JsonText, ItemLists, Delimited)
_BY_NAME = {one.name: one for one in _SNIFFED}


def find_form(spark: SparkSession | None, files: RawFiles, given: Given) -> Form:
    """How the rows of these files are written.

    Args:
        spark: for files that only Spark can open; None where there are none.
        files: of one table.
        given: what is known.

    Raises:
        UserError: the files are empty, of several forms, of one that is not read, not UTF-8, or
            their form cannot be told.
    """
    ending = _one_ending(files)
    if ending in NOT_READ:
        raise InputDataError(
            f"{files.given} ends in {ending}, which is not read; save it as Parquet or CSV."
        )
    stated = given.format if given.format != "auto" else None
    columnar = stated or COLUMNAR_ENDINGS.get(ending)
    if columnar in COLUMNAR:
        why = "as ingest.format says" if stated else f"the name ends in {ending}"
        return Columnar(columnar, (Fact("format", columnar, why),))
    head, complete = read_head(spark, files)
    if not stated and ending not in TEXT_ENDINGS:
        for magic, name in MAGIC:
            if head.startswith(magic):
                return Columnar(name, (Fact("format", name, "by its first bytes"),))
    return _text_form(head, complete, files, given, stated or TEXT_ENDINGS.get(ending))


def _text_form(
    head: bytes, complete: bool, files: RawFiles, given: Given, name: str | None
) -> Form:
    path = files.given
    encoding, why = find_encoding(
        head, complete, given.encoding, given.fallback_encoding, path=path, table=given.table
    )
    sample = Sample(path, files.name, decode(head, encoding), encoding, complete)
    if not _is_text(sample.text):
        raise InputDataError(
            f"{path} is not text; set ingest.format.{given.table} to what it is, or"
            f" ingest.encoding.{given.table}=utf-16-le (or -be) if it is that."
        )
    fact = Fact("encoding", encoding.upper(), why)
    for sniffed in [_BY_NAME[name]] if name else _SNIFFED:
        form = sniffed.sniff(sample, given)
        if form is not None:
            found = Fact("format", form.name, _why(given, name, files.name))
            return _with_facts(form, (found, fact))
    if name == JsonText.name and given.format == "auto":
        raise InputDataError(
            f"{path} ends as JSON does and has no JSON objects, but {sample.text.strip()[:40]!r};"
            f" set ingest.format.{given.table} to what it is."
        )
    raise ConfigError(
        f"The format of {path} cannot be told from its name or its first lines; set"
        f" ingest.format.{given.table} (csv, json, item_lists, parquet, delta, ...)."
    )


def _is_text(text: str) -> bool:
    return len(_CONTROL.findall(text)) <= _FEW_CONTROLS * len(text)


def _with_facts(form: JsonText | ItemLists | Delimited, facts: tuple[Fact, ...]) -> Form:
    return replace(form, facts=(*facts, *form.facts))


def _why(given: Given, name: str | None, file: str) -> str:
    if given.format != "auto":
        return "as ingest.format says"
    return f"the name ends in {ending_of(file)}" if name else "by its first lines"


def _one_ending(files: RawFiles) -> str:
    """The ending that all files have, without that of their packing.

    Raises:
        InputDataError: files of several formats.
    """
    endings = {ending_of(file.name): file.name for file in files.files}
    formats = {ending: {**COLUMNAR_ENDINGS, **TEXT_ENDINGS}.get(ending, "") for ending in endings}
    if len(set(formats.values())) > 1:
        names = ", ".join(list(endings.values())[:4])
        raise InputDataError(
            f"{files.given} has files of several formats ({names}); name those to read, such as"
            f" {files.given.rstrip('/')}/*{next(iter(endings))}."
        )
    if files.is_remote:
        ending = Path(files.given.rstrip("/*")).suffix.lower()
        if ending in PACKED and ending not in UNPACKED_BY_SPARK:
            raise InputDataError(
                f"{files.given} is packed as Spark cannot unpack it from there; copy it to this"
                " machine, or pack it with gzip."
            )
    if files.files:
        return next(iter(endings)) if len(endings) == 1 or formats[next(iter(endings))] else ""
    return ending_of(files.given)
