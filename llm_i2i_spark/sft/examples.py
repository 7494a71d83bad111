"""Training examples as Python objects: rows of the two export tables in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa

from llm_i2i_spark.prompts.items import Item

ROWS_AT_ONCE = 4096


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
    groups = []
    for (user_id, position), rows in groupby(
        _rows(ordered), key=lambda row: (row["user_id"], row["position"])
    ):
        members = list(rows)
        candidates = _items([row["candidate"] for row in members])
        groups.append(
            LabelledCandidates(
                user_id,
                _items(members[0]["history"]),
                candidates,
                [row["label"] for row in members],
                1.0 if (weight := members[0].get("weight")) is None else weight,
                position,
            )
        )
    return groups


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
