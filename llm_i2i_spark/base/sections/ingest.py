"""Section `ingest`: the raw log and catalogue, how they are written, and how their columns map."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from llm_i2i_spark.base.redaction import refuse_login
from llm_i2i_spark.base.sections.section import Section

_GAP = re.compile(r"^[1-9]\d{0,8}[smhd]$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

Format = Literal[
    "auto",
    "csv",
    "json",
    "item_lists",
    "parquet",
    "orc",
    "avro",
    "delta",
    "amazon2014",
    "amazon2018",
    "amazon2023",
    "goodreads",
    "gowalla",
    "mind",
    "movielens",
    "otto",
    "recbole",
    "retailrocket",
    "s3rec",
    "steam",
    "taobao",
    "yoochoose",
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


class SeparatorOptions(PerTable):
    """What stands between the fields of delimited text."""

    interactions: str | None = Field(
        None, description="between fields of the log: a text, tab or blanks; None: found out"
    )
    items: str | None = Field(None, description="between fields of the catalogue, likewise")


class EncodingOptions(PerTable):
    """How the characters of text files are written."""

    interactions: str | None = Field(
        None, description="of the log: latin-1, gbk, ...; None: UTF-8, or by a byte-order mark"
    )
    items: str | None = Field(None, description="of the catalogue, likewise")


RawPath = Annotated[str | None, AfterValidator(refuse_login)]

Names = Annotated[
    tuple[str, ...],
    BeforeValidator(
        lambda value: (
            [name.strip() for name in value.split(",")] if isinstance(value, str) else value or ()
        )
    ),
]


class HeaderOptions(PerTable):
    """The columns of delimited files whose first line has no names."""

    interactions: Names = Field(
        (), description="names of the log's columns in order, comma-separated; empty: first line"
    )
    items: Names = Field((), description="names of the catalogue's columns, likewise")


class ExplodeOptions(PerTable):
    """The column of a raw table that holds a list, of which each element becomes a row."""

    interactions: str | None = Field(
        None, description="list of clicks in a row of the log: COLUMN, or COLUMN:SEPARATOR in text"
    )
    items: str | None = Field(None, description="list of items in a row of the catalogue, likewise")


class IngestConfig(Section):
    """The raw log and catalogue, how they are written, and how their columns map."""

    interactions: RawPath = Field(
        None, description="the raw log: a file, a folder, a pattern such as days/*.csv, or a table"
    )
    items: RawPath = Field(None, description="the raw catalogue, likewise; a log alone is enough")
    format: FormatOptions = FormatOptions()
    separator: SeparatorOptions = SeparatorOptions()
    encoding: EncodingOptions = EncodingOptions()
    header: HeaderOptions = HeaderOptions()
    explode: ExplodeOptions = ExplodeOptions()
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="contract column -> the file's, none: leave it alone; items_item_id: the"
        " catalogue's id",
    )
    ts_format: str | None = Field(
        None,
        description="how times are written, as a Spark pattern (M/d/yyyy h:mm:ss a) or one of"
        " strptime (%m/%d/%Y); None: numbers since 1970, 20240131, ISO 8601",
    )
    event_weights: dict[str, float] = Field(
        default_factory=dict,
        description="event -> how much it counts, such as {view: 1, cart: 3}; other events: 1",
    )
    weight: Literal["ignore", "use"] = Field(
        "ignore",
        description="use: the log's weights (or what ingest.columns.weight maps) count, in every"
        " backbone and in fine-tuning",
    )
    session_gap: str | None = Field(
        None,
        description="a pause, such as 30m or 1d, after which a user's clicks are a history of their"
        " own",
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

    @field_validator("event_weights")
    @classmethod
    def _check_event_weights(cls, weights: dict[str, float]) -> dict[str, float]:
        wrong = [event for event, weight in weights.items() if not 0 < weight < float("inf")]
        if wrong:
            raise ValueError(f"the weight of {wrong[0]} must be a number above 0")
        return weights

    @field_validator("session_gap")
    @classmethod
    def _check_session_gap(cls, gap: str | None) -> str | None:
        if gap is not None and not _GAP.match(gap):
            raise ValueError("a pause is a number with its unit, such as 90s, 30m, 12h or 1d")
        return gap

    @property
    def session_gap_seconds(self) -> int | None:
        """`session_gap` in seconds."""
        if self.session_gap is None:
            return None
        return int(self.session_gap[:-1]) * _SECONDS[self.session_gap[-1]]
