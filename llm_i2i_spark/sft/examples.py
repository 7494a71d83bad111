"""Training examples as Python objects: rows of the two export tables in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llm_i2i_spark.prompts.items import Item

ROWS_AT_ONCE = 4096
ITEM_FIELDS = ("item_id", "text")


@dataclass(frozen=True)
class GeneratorRow:
    """One row of `sft_generator`.

    Attributes:
        user_id: of the history.
        history: items before the first target, oldest first.
        targets: items to predict one after another.
        weights: loss weight of each target.
    """

    user_id: str
    history: list[Item]
    targets: list[Item]
    weights: list[float]


@dataclass(frozen=True)
class LabelledCandidates:
    """Candidates after one history: rows of `sft_discriminator` with the same user and position.

    Attributes:
        user_id: of the history.
        history: items before the candidates, oldest first.
        candidates: items that are labelled.
        labels: of each candidate, True for an observed interaction.
        weight: of each candidate in the loss.
        position: of the observed item in the user's history.
    """

    user_id: str
    history: list[Item]
    candidates: list[Item]
    labels: list[bool]
    weight: float = 1.0
    position: int = 0


def generator_rows(table: pa.Table, split: str) -> Iterator[GeneratorRow]:
    """Rows of one split (`train` or `calibration`), in the table's order."""
    for row in _rows(table):
        if row["split"] == split:
            targets = row["targets"]
            yield GeneratorRow(
                row["user_id"],
                _items(row["history"]),
                _items(targets),
                [target["loss_weight"] for target in targets],
            )


def labelled_candidates(table: pa.Table) -> list[LabelledCandidates]:
    """Rows of `sft_discriminator` by user and position, candidates in the order of their example
    ids.
    """
    ordered = table.sort_by(
        [("user_id", "ascending"), ("position", "ascending"), ("example_id", "ascending")]
    )
    # Column by column: a dictionary a row would take several times as long.
    first = _changes(ordered, ("user_id", "position"))
    ends = [*first[1:].tolist(), len(ordered)]
    of_groups = ordered.take(pa.array(first))
    weights = (
        of_groups.column("weight").to_pylist()
        if "weight" in ordered.column_names
        else [None] * len(first)
    )
    lengths = pc.list_value_length(of_groups.column("history")).to_pylist()
    history_items = _item_column(pc.list_flatten(of_groups.column("history")))
    history_ends = np.cumsum(lengths, dtype=np.int64).tolist()
    candidates = _item_column(ordered.column("candidate"))
    labels = ordered.column("label").to_pylist()
    return [
        LabelledCandidates(
            user_id,
            history_items[history_end - length : history_end],
            candidates[start:end],
            labels[start:end],
            1.0 if weight is None else weight,
            position,
        )
        for user_id, position, weight, length, history_end, start, end in zip(
            of_groups.column("user_id").to_pylist(),
            of_groups.column("position").to_pylist(),
            weights,
            lengths,
            history_ends,
            first.tolist(),
            ends,
            strict=True,
        )
    ]


def _changes(table: pa.Table, columns: Sequence[str]) -> NDArray[np.int64]:
    """Rows that differ from the row before in one of the columns, and the first row."""
    differs = np.ones(len(table), np.bool_)
    if len(table) > 1:
        differs[1:] = False
        for name in columns:
            column = table.column(name)
            pairs = column.slice(1), column.slice(0, len(table) - 1)
            differs[1:] |= pc.not_equal(*pairs).to_numpy()
    return np.flatnonzero(differs)


def _item_column(column: pa.ChunkedArray) -> list[Item]:
    """The items of a column of structs; equal ones are one object."""
    items: dict[Item, Item] = {}
    pairs = zip(*(pc.struct_field(column, name).to_pylist() for name in ITEM_FIELDS), strict=True)
    return [items.setdefault(item, item) for item in map(Item._make, pairs)]


def known_items(table: pa.Table) -> dict[str, set[str]]:
    """For every user the items in `sft_generator`, except one withheld for calibration."""
    known: dict[str, set[str]] = {}
    for row in _rows(table):
        of_user = known.setdefault(row["user_id"], set())
        of_user.update(entry["item_id"] for entry in row["history"])
        if row["split"] == "train":
            of_user.update(entry["item_id"] for entry in row["targets"])
    return known


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Rows as dictionaries, a few thousand at a time: all at once would take many times the table's
    memory.
    """
    for batch in table.to_batches(max_chunksize=ROWS_AT_ONCE):
        yield from batch.to_pylist()


def _items(entries: Sequence[dict[str, Any]]) -> list[Item]:
    return [Item(entry["item_id"], entry["text"]) for entry in entries]
