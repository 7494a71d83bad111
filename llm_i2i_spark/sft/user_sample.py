"""Some of the users of a table, drawn by hashes of their ids: the same on every rank and in every
order of rows, and without a list of the users in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

KEY_LENGTH = 16
"""Of the hash's key."""
Read = Callable[[Sequence[str] | None], Iterable[pa.RecordBatch]]
"""Reads a table some rows at a time, all columns or those of some names."""


@dataclass(frozen=True)
class UserSample:
    """Users with a chance that is the same for each.

    Attributes:
        share: of the users.
        seed: of the hash.
    """

    share: float
    seed: int

    def rows(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows of users that are drawn, by column `user_id`."""
        for batch in batches:
            encoded = pc.dictionary_encode(batch["user_id"])
            drawn = self._drawn(encoded.dictionary)
            yield batch.filter(pa.array(drawn[encoded.indices.to_numpy()]))

    def _drawn(self, user_ids: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        key = str(self.seed).ljust(KEY_LENGTH, "|")[:KEY_LENGTH]
        names = np.array(user_ids.to_pylist(), dtype=object)
        hashes = pd.util.hash_array(names, hash_key=key, categorize=False)
        return np.asarray(hashes / 2**64 < self.share)


def rows_of_some_users(
    read: Read, most: int | None, column: str, value: object, seed: int
) -> Iterable[pa.RecordBatch]:
    """The rows of as many users as have about so many examples.

    Args:
        read: reads the table; it is read twice, first for a count.
        most: examples; None for all.
        column: by which rows are counted ...
        value: ... one for each example.
        seed: of the draw.
    """
    if most is None:
        return read(None)
    there = sum(pc.sum(pc.equal(batch[column], value)).as_py() or 0 for batch in read([column]))
    return read(None) if there <= most else UserSample(most / there, seed).rows(read(None))
