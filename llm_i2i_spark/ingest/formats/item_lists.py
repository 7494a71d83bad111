"""A user and its items a line, oldest first, separated by blanks or tabs: the form of S3-Rec and of
many sequential recommenders.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.ingest.formats.base import MALFORMED, REASON, Fact, Given, Sample
from llm_i2i_spark.ingest.formats.encodings import encoding_option
from llm_i2i_spark.ingest.formats.files import RawFiles
from llm_i2i_spark.ingest.formats.lines import TextFiles

_LINE = re.compile(r"[\w.-]+([ \t]+[\w.-]+)+")
_BLANKS = r"[ \t]+"


@dataclass(frozen=True)
class ItemLists:
    """Lines `user item item ...`; `pos` is the place in the line, from 0."""

    encoding: str
    facts: tuple[Fact, ...] = ()
    name: str = field(default="item_lists", init=False)

    @classmethod
    def sniff(cls, sample: Sample, given: Given) -> ItemLists | None:
        """Whether every line is ids between blanks, and the lines differ in their number; asked
        for by name, whatever they are.
        """
        lines = sample.lines()
        counts = {len(line.split()) for line in lines}
        why = "as ingest.format says"
        if given.format != cls.name:
            fits = len(lines) > 1 and len(counts) > 1 and all(map(_LINE.fullmatch, lines))
            fits = fits and not given.known_names & set(lines[0].lower().split())
            if given.table != "interactions" or not fits:
                return None
            why = f"{len(lines):,} lines of {min(counts)} to {max(counts)} ids"
        return cls(sample.encoding, (Fact("lines", "a user, then its items", why),))

    @property
    def options(self) -> dict[str, str]:
        """The format and, if it is no UTF-8, the encoding."""
        return {"format": self.name, **encoding_option(self.encoding)}

    def read(self, spark: SparkSession, files: RawFiles, limit: int | None) -> DataFrame:
        """A row an item: user_id, item_id, pos."""
        lines = TextFiles(files, self.encoding, limit).lines(spark)
        ids = F.split(F.trim(F.translate("value", "\t", " ")), _BLANKS)
        good = F.size(ids) > 1
        rows = lines.select(
            F.when(good, ids[0]).alias("user_id"),
            F.posexplode_outer(F.when(good, F.slice(ids, 2, F.size(ids)))).alias("pos", "item_id"),
            F.coalesce(MALFORMED, F.when(~good, F.col("value"))).alias(MALFORMED),
            REASON,
        )
        return rows.select("user_id", "item_id", F.col("pos").cast("string"), MALFORMED, REASON)
