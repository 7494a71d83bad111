"""Training examples: rows of the two export tables in a fixed order, kept as numbers of items in
flat arrays, so that memory grows by a few bytes an item of a history and not by its text. A row
becomes Python objects only while it is looked at.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.sft.catalogue import Catalogue, Numbers
from llm_i2i_spark.sft.example_columns import ExampleColumns, Int64Array, Lists, changes, row_order

Batches = Iterable[pa.RecordBatch]
Row = TypeVar("Row")
Rows = TypeVar("Rows", bound="ExampleRows[Any]")


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


@dataclass(frozen=True, eq=False)
class ExampleRows(Sequence[Row]):
    """Rows in an order of their own.

    Attributes:
        catalogue: whose numbers the lists hold.
        user_ids: of each row, as all other columns in the order of the table.
        histories: items of each row's history.
        order: the place of each row in the columns.
    """

    catalogue: Catalogue
    user_ids: pa.Array
    histories: Lists
    order: Int64Array

    def __len__(self) -> int:
        return len(self.order)

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self: Rows, index: slice) -> Rows: ...

    def __getitem__(self: Rows, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self.taken(self.order[index])
        return self._row(int(self.order[index]))

    def taken(self: Rows, places: Int64Array) -> Rows:
        """The rows of some places in the columns."""
        return replace(self, order=places)

    @abstractmethod
    def _row(self, place: int) -> Row:
        """What stands at a place of the columns."""


@dataclass(frozen=True, eq=False)
class GeneratorRows(ExampleRows[GeneratorRow]):
    """Rows of `sft_generator`.

    Attributes:
        targets: items to predict.
        weights: of each of them, in the loss.
    """

    targets: Lists
    weights: NDArray[np.float64]

    def _row(self, place: int) -> GeneratorRow:
        return GeneratorRow(
            self.user_ids[place].as_py(),
            self.catalogue.items(self.histories[place]),
            self.catalogue.items(self.targets[place]),
            self.weights[self.targets.places(place)].tolist(),
        )

    def item_numbers(self) -> Iterator[Numbers]:
        """The numbers of the items of each row, history and targets."""
        for place in self.order.tolist():
            yield np.concatenate([self.histories[place], self.targets[place]])


@dataclass(frozen=True, eq=False)
class CandidateGroups(ExampleRows[LabelledCandidates]):
    """Rows of `sft_discriminator`, by history.

    Attributes:
        positions: of the observed item of each group.
        weights: of the candidates of each group.
        candidates: items of each group.
        labels: of all candidates.
    """

    positions: NDArray[np.int32]
    weights: NDArray[np.float64]
    candidates: Lists
    labels: NDArray[np.bool_]

    def _row(self, place: int) -> LabelledCandidates:
        return LabelledCandidates(
            self.user_ids[place].as_py(),
            self.catalogue.items(self.histories[place]),
            self.catalogue.items(self.candidates[place]),
            self.labels[self.candidates.places(place)].tolist(),
            float(self.weights[place]),
            int(self.positions[place]),
        )

    def with_first_negatives(self, drawn: Sequence[Sequence[int]]) -> CandidateGroups:
        """The same groups, in which other items stand in for the first negatives.

        Args:
            drawn: numbers of items for each group.
        """
        values = self.candidates.values.copy()
        for place, items in zip(self.order.tolist(), drawn, strict=True):
            among = self.candidates.places(place)
            negatives = among.start + np.flatnonzero(~self.labels[among])
            values[negatives[: len(items)]] = items[: len(negatives)]
        return replace(self, candidates=Lists(self.candidates.starts, values))


def generator_rows(batches: Batches, split: str, catalogue: Catalogue) -> GeneratorRows:
    """Rows of one split (`train` or `calibration`) of `sft_generator`, by their example ids.

    Raises:
        InputDataError: an item is not in the catalogue.
    """
    columns = ExampleColumns()
    for batch in batches:
        rows = batch.filter(pc.equal(batch["split"], split))
        columns.add(rows, "example_id", "user_id")
        for name in ("history", "targets"):
            columns.add_lists(rows[name], name, catalogue)
        entries = pc.list_flatten(rows["targets"])
        columns.parts["weights"].append(pc.struct_field(entries, "loss_weight").to_numpy())
    return GeneratorRows(
        catalogue,
        columns.strings("user_id"),
        columns.lists("history"),
        row_order(example_id=columns.strings("example_id")),
        columns.lists("targets"),
        columns.array("weights", np.float64),
    )


def labelled_candidates(batches: Batches, catalogue: Catalogue) -> CandidateGroups:
    """Rows of `sft_discriminator` by user and position, candidates in the order of their example
    ids.

    Raises:
        InputDataError: an item is not in the catalogue.
    """
    columns = ExampleColumns()
    for batch in batches:
        columns.add(batch, "user_id", "position", "example_id", "label")
        columns.add_lists(batch["history"], "history", catalogue)
        candidates = pc.struct_field(batch["candidate"], "item_id")
        columns.parts["candidate"].append(catalogue.numbers(candidates))
        weights = np.ones(len(batch))
        if "weight" in batch.schema.names:
            weights = pc.fill_null(batch["weight"].cast(pa.float64()), 1.0).to_numpy()
        columns.parts["weights"].append(weights)
    users, position = columns.strings("user_id"), columns.array("position", np.int32)
    order = row_order(user_id=users, position=position, example_id=columns.strings("example_id"))
    same_user = pc.dictionary_encode(users).indices.to_numpy()[order]
    first = np.flatnonzero(changes(same_user) | changes(position[order]))
    rows, ends = order[first], np.append(first, len(order)).astype(np.int64)
    return CandidateGroups(
        catalogue,
        users.take(pa.array(rows)),
        columns.lists("history").taken(rows),
        np.arange(len(rows)),
        position[rows],
        columns.array("weights", np.float64)[rows],
        Lists(ends, columns.array("candidate", np.int32)[order]),
        columns.array("label", np.bool_)[order],
    )
