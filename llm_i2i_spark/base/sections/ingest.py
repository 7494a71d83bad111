"""Section `ingest`: the raw log and catalogue, how they are written, and how their columns map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from llm_i2i_spark.base.sections.section import Section

Format = Literal[
    "auto",
    "parquet",
    "csv",
    "json",
    "delta",
    "amazon2014",
    "amazon2018",
    "amazon2023",
    "movielens",
]


class PerTable(Section):
    """An option that each raw table has: a single value stands for both."""

    @model_validator(mode="before")
    @classmethod
    def _for_both(cls, value: Any) -> Any:
        if isinstance(value, (Mapping, cls)):
            return value
        return dict.fromkeys(cls.model_fields, value)


class FormatOptions(PerTable):
    """How the rows of each raw table are written; auto: by the name and the first rows."""

    interactions: Format = Field("auto", description="of the log")
    items: Format = Field("auto", description="of the catalogue")


class IngestConfig(Section):
    """The raw log and catalogue, how they are written, and how their columns map."""

    interactions: str | None = Field(
        None, description="the raw log: a file, a folder, a pattern such as days/*.csv, or a table"
    )
    items: str | None = Field(
        None, description="the raw catalogue, likewise; a log alone is enough"
    )
    format: FormatOptions = FormatOptions()
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="contract column -> the file's; items_item_id: the catalogue's id",
    )
    deduplicate_keep: Literal["last", "first"] = Field(
        "last", description="which row of a repeated (user, item) stays"
    )
    tie_order: Literal["given", "shuffled"] = Field(
        "given", description="rows with equal ts: by pos, then item_id; or seeded random"
    )
    min_ts: str = Field("1995-01-01", description="rows before this day are quarantined")
    max_ts: str = Field("2100-01-01", description="rows from this day on are quarantined")
    max_quarantine_share: float = Field(
        0.2, ge=0, le=1, description="more bad rows than this stop the run before it writes"
    )
    max_title_chars: int = Field(10_000, ge=1, description="a longer title is quarantined")
    long_tail_share: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="bottom share of the log's items, by count in the training fold",
    )
