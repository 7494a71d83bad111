"""What every exporter is: a store that serves an index, written generation by generation.

A publish writes a new generation beside the one that is served and then makes it the live one in a
single step, so that a reader sees the old lists or the new ones, never a part of each. The live
generation and the one before it are kept.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame


class Neighbor(TypedDict):
    """A neighbour as a store serves it."""

    item_id: str
    score: float
    rank: int


@dataclass(frozen=True)
class Generation:
    """One published index; stored beside its rows.

    Attributes:
        generation: id of the publish, in the order of time.
        variant: what the index was made from; None where the source does not say.
        backbone: the item-to-item model behind it; None where the source does not say.
        version: of the table `item_index` that was read; None where it was no table.
        run_id: of the run that wrote the lists; None where the source does not say.
        rows: neighbours in all lists.
        published: when the publish began, UTC, ISO 8601.
        previous: id of the generation that was live before; None for the first.
    """

    generation: str
    variant: str | None
    backbone: str | None
    version: int | None
    run_id: str | None
    rows: int
    published: str
    previous: str | None

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, as JSON has them."""
        return asdict(self)

    def to_json(self) -> str:
        """The record as one line of JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Generation:
        """The record that `to_json` wrote."""
        return cls(**json.loads(text))

    def lines(self) -> list[str]:
        """The record as a person reads it."""
        known = {
            "variant": self.variant,
            "backbone": self.backbone,
            "item_index version": self.version,
            "run": self.run_id,
        }
        origin = ", ".join(f"{name} {value}" for name, value in known.items() if value is not None)
        return [
            f"generation {self.generation}: {self.rows:,} rows" + (f" ({origin})" * bool(origin))
        ]


class Exporter(ABC):
    """A store that serves an index; made from its URL.

    Its methods are steps of `publish.publish`, which calls them in the order in which they stand
    here. What goes to executors with `write` must be picklable.

    Args:
        shown: the target as messages call it, without a password.
    """

    form: ClassVar[str]
    """How a target looks, for messages and documentation."""

    def __init__(self, shown: str) -> None:
        self.shown = shown

    @classmethod
    @abstractmethod
    def accepts(cls, target: str) -> bool:
        """Whether a target is one of this exporter's, by its scheme or ending."""

    @abstractmethod
    def check(self) -> None:
        """Make sure, before anything is computed, that the store can be reached and written.

        Raises:
            UserError: it cannot; or what speaks to it is not installed.
        """

    @abstractmethod
    def live(self) -> Generation | None:
        """The generation that readers see; None where nothing was published yet."""

    @abstractmethod
    def find(self, generation: str) -> Generation | None:
        """A complete generation that is kept; None where it is not there."""

    @abstractmethod
    def begin(self, generation: str) -> None:
        """Announce a generation, so that `switch` can tell whether it is still wanted."""

    @abstractmethod
    def write(self, batches: Iterable[pa.RecordBatch], generation: str) -> int:
        """Write rows of `rows.INDEX_SCHEMA`, by item (shorter ids first, then text), unseen by
        readers.

        Returns:
            The number of neighbours written.
        """

    def write_frame(self, frame: DataFrame, generation: str) -> int:
        """The same from a Spark DataFrame with the columns of `rows.INDEX_SCHEMA`.

        Here the rows stream through the driver; an exporter whose store takes many writers
        overrides it to write from the executors.
        """
        from llm_i2i_spark.serving.index_frame import stream_rows

        return self.write(stream_rows(frame), generation)

    @abstractmethod
    def switch(self, record: Generation) -> None:
        """Make a written generation the live one, in one step.

        Raises:
            StageError: another publish has removed it meanwhile.
        """

    @abstractmethod
    def remove(self, keep: Collection[str]) -> None:
        """Remove all generations but those named, complete or not."""

    @abstractmethod
    def neighbors(self, item_id: str) -> list[Neighbor]:
        """The live list of an item, best first; empty where it has none."""


def as_neighbors(ids: list[str], scores: list[float]) -> list[Neighbor]:
    """Neighbours from their ids and scores, best first."""
    return [
        Neighbor(item_id=item, score=score, rank=rank)
        for rank, (item, score) in enumerate(zip(ids, scores, strict=True), start=1)
    ]
