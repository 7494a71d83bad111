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
    """The items of users in `sft_generator`, except one withheld for calibration, at some eight
    bytes an item.

    Args:
        batches: of the table.
        catalogue: numbers the items.
        user_ids: of the users, in any order; all others have nothing here.
    """

    def __init__(
        self, batches: Iterable[pa.RecordBatch], catalogue: Catalogue, user_ids: pa.Array
    ) -> None:
        self._catalogue = catalogue
        users, size = pc.unique(user_ids.cast(pa.large_string())), max(len(catalogue), 1)
        self._clicked = np.zeros(len(catalogue), np.bool_)
        keys = [np.zeros(0, np.int64)]
        for batch in batches:
            user, item = _pairs(batch, catalogue, users)
            self._clicked[item] = True
            keys.append(np.unique(user[user >= 0] * size + item[user >= 0]))
        user, self._items = np.divmod(np.unique(np.concatenate(keys)), size)
        self._users = {name: number for number, name in enumerate(users.to_pylist())}
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
        """Items with a text that no user of the table has."""
        without = self._catalogue.items(np.flatnonzero(~self._clicked))
        return {item.item_id for item in without if item.has_text}


def _pairs(
    batch: pa.RecordBatch, catalogue: Catalogue, users: pa.Array
) -> tuple[Int64Array, Int64Array]:
    """Users and items of a batch; users by their number, -1 for one who is not among them."""
    found = pc.index_in(batch["user_id"].cast(pa.large_string()), value_set=users)
    numbers = pc.fill_null(found, -1).to_numpy().astype(np.int64)
    trained = pc.equal(batch["split"], "train").to_numpy(zero_copy_only=False)
    columns = []
    for name in ("history", "targets"):
        items = catalogue.numbers(pc.struct_field(pc.list_flatten(batch[name]), "item_id"))
        rows = np.repeat(np.arange(len(batch)), pc.list_value_length(batch[name]).to_numpy())
        kept = trained[rows] | (name == "history")
        columns.append((numbers[rows[kept]], items[kept].astype(np.int64)))
    user, item = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return user, item
