"""Arrow batches of `click_lists.lists_of_clicks`, cut between users and read as flat arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def whole_users(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches that hold whole users, however the input was cut.

    Args:
        batches: rows with a column `step`, those of a user next to each other from step 0 on.
    """
    kept: list[pa.RecordBatch] = []
    for batch in batches:
        starts = user_starts(batch)
        if len(starts) == 0:
            kept.append(batch)
            continue
        # The last user may go on in the next batch, so they wait for it.
        whole = [*kept, batch.slice(0, starts[-1])]
        if sum(part.num_rows for part in whole):
            yield pa.concat_batches(whole)
        kept = [batch.slice(starts[-1])]
    if sum(part.num_rows for part in kept):
        yield pa.concat_batches(kept)


def user_starts(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """The first row of each user."""
    return np.flatnonzero(batch.column("step").to_numpy(zero_copy_only=False) == 0)


def list_offsets(lists: pa.ListArray) -> NDArray[np.int64]:
    """(rows + 1,) where each list starts within `list_values`, and where the last one ends."""
    offsets: NDArray[np.int64] = lists.offsets.to_numpy().astype(np.int64)
    offsets -= offsets[0]
    return offsets


def list_values(lists: pa.ListArray) -> Any:
    """The values of the lists of a possibly sliced array, without those before and after it: an
    Arrow array.
    """
    return lists.flatten()
