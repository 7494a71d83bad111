"""Some of the users of a table, drawn by hashes of their ids: the same on every rank and in every
order of rows, and without a list of the users in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

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

    def _drawn(self, user_ids: pa.Array) -> NDArray[np.bool_]:
        key = str(self.seed).encode()
        hashes = b"".join(
            blake2b(user.encode(), digest_size=8, key=key).digest() for user in user_ids.to_pylist()
        )
        return np.frombuffer(hashes, "<u8") / 2**64 < self.share


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
