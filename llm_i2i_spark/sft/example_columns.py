"""Columns of training examples: read batch by batch, kept as numbers in flat arrays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llm_i2i_spark.lm.packing import ranges
from llm_i2i_spark.sft.catalogue import Catalogue, Numbers

Int64Array = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Lists:
    """Lists of numbers, one after another.

    Attributes:
        starts: [n + 1] where each begins, and the end of the last.
        values: [m] of all lists.
    """

    starts: Int64Array
    values: Numbers

    @classmethod
    def of_lengths(cls, lengths: Iterable[NDArray[Any]], values: Sequence[Numbers]) -> Lists:
        """From the lengths and values of several parts."""
        ends = np.cumsum(np.concatenate([np.zeros(1, np.int64), *lengths]))
        return cls(ends, np.concatenate([np.zeros(0, np.int32), *values]))

    def places(self, number: int) -> slice:
        """Where a list stands among the values."""
        return slice(int(self.starts[number]), int(self.starts[number + 1]))

    def __getitem__(self, number: int) -> Numbers:
        return self.values[self.places(number)]

    def taken(self, numbers: Int64Array) -> Lists:
        """Some of the lists."""
        lengths = np.diff(self.starts)[numbers]
        return self.of_lengths([lengths], [self.values[ranges(self.starts[numbers], lengths)]])


class ExampleColumns:
    """Columns of all batches, part by part.

    Attributes:
        parts: by name.
    """

    def __init__(self) -> None:
        self.parts: defaultdict[str, list[Any]] = defaultdict(list)

    def add(self, batch: pa.RecordBatch, *names: str) -> None:
        """Columns as they are; strings are long ones, since many together pass what others hold."""
        for name in names:
            text = pa.types.is_string(batch.schema.field(name).type)
            column = batch[name]
            self.parts[name].append(column.cast(pa.large_string()) if text else column)

    def add_lists(self, column: pa.Array, name: str, catalogue: Catalogue) -> None:
        """A column of lists of items."""
        self.parts[f"{name} lengths"].append(pc.list_value_length(column).to_numpy())
        item_ids = pc.struct_field(pc.list_flatten(column), "item_id")
        self.parts[name].append(catalogue.numbers(item_ids))

    def strings(self, name: str) -> pa.Array:
        """A column of strings."""
        return pa.chunked_array(self.parts[name], pa.large_string()).combine_chunks()

    def array(self, name: str, kind: Any) -> NDArray[Any]:
        """A column of numbers."""
        parts = [np.asarray(part) for part in self.parts[name]]
        return np.concatenate([np.zeros(0, kind), *parts]).astype(kind, copy=False)

    def lists(self, name: str) -> Lists:
        """A column of lists."""
        return Lists.of_lengths(self.parts[f"{name} lengths"], self.parts[name])


def row_order(**keys: Any) -> Int64Array:
    """The places of rows, sorted by some columns."""
    found = pc.sort_indices(pa.table(keys), [(name, "ascending") for name in keys])
    order: Int64Array = found.to_numpy().astype(np.int64)
    return order


def changes(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values differ from the one before, and the first."""
    differs = np.ones(len(values), np.bool_)
    differs[1:] = values[1:] != values[:-1]
    return differs
