"""Which items each user has, as far as models may know: no negatives, and not proposed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llm_i2i_spark.sft.catalogue import Catalogue

Int64Array = NDArray[np.int64]


class KnownItems(Mapping[str, set[str]]):
    """The items of every user in `sft_generator`, except one withheld for calibration, at some
    eight bytes an item.

    Args:
        batches: of the table.
        catalogue: numbers the items.
    """

    def __init__(self, batches: Iterable[pa.RecordBatch], catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        users: list[pa.Array] = [pa.array([], pa.large_string())]
        pairs: list[tuple[Int64Array, Int64Array]] = []
        for batch in batches:
            pairs.append(_pairs(batch, catalogue, before=sum(map(len, users))))
            users.append(pc.unique(batch["user_id"]).cast(pa.large_string()))
        # A user may be in several batches.
        encoded = pa.concat_arrays(users).dictionary_encode()
        of_all = encoded.indices.to_numpy().astype(np.int64)
        keys = [of_all[user] * max(len(catalogue), 1) + item for user, item in pairs]
        unique = np.unique(np.concatenate([np.zeros(0, np.int64), *keys]))
        user, self._items = np.divmod(unique, max(len(catalogue), 1))
        self._users = {name: n for n, name in enumerate(encoded.dictionary.to_pylist())}
        self._starts = np.searchsorted(user, np.arange(len(self._users) + 1))

    def __getitem__(self, user_id: str) -> set[str]:
        user = self._users[user_id]
        numbers = self._items[self._starts[user] : self._starts[user + 1]]
        return {self._catalogue.item_ids[number] for number in numbers}

    def __iter__(self) -> Iterator[str]:
        return iter(self._users)

    def __len__(self) -> int:
        return len(self._users)

    def new_items(self) -> set[str]:
        """Items with a text that no user has."""
        has = np.zeros(len(self._catalogue), np.bool_)
        has[self._items] = True
        without = self._catalogue.items(np.flatnonzero(~has))
        return {item.item_id for item in without if item.has_text}


def _pairs(
    batch: pa.RecordBatch, catalogue: Catalogue, before: int
) -> tuple[Int64Array, Int64Array]:
    """Users and items of a batch; users by their number among those of it, after those `before`."""
    users = pc.index_in(batch["user_id"], value_set=pc.unique(batch["user_id"])).to_numpy()
    withheld = pc.not_equal(batch["split"], "train").to_numpy(zero_copy_only=False)
    found = []
    for name in ("history", "targets"):
        item_ids = pc.struct_field(pc.list_flatten(batch[name]), "item_id")
        rows = np.repeat(np.arange(len(batch)), pc.list_value_length(batch[name]).to_numpy())
        kept = ~withheld[rows] if name == "targets" else np.ones(len(rows), np.bool_)
        found.append((users[rows[kept]], catalogue.numbers(item_ids)[kept]))
    columns = (np.concatenate(parts).astype(np.int64) for parts in zip(*found, strict=True))
    user, item = columns
    keys = np.unique(user * max(len(catalogue), 1) + item)
    user, item = np.divmod(keys, max(len(catalogue), 1))
    return user + before, item
