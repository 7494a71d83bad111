"""The catalogue as training sees it: items by number, in the order of their ids, as the vocabulary
of the models has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.prompts.items import Item

Numbers = NDArray[np.int32]


class Catalogue:
    """Items by number.

    Args:
        texts: text by item id.

    Attributes:
        texts: the same.
        item_ids: the id of each number, ascending.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self.item_ids = sorted(texts)
        self._items = [Item(item_id, texts[item_id]) for item_id in self.item_ids]
        self._ids = pa.array(self.item_ids, pa.large_string())

    @classmethod
    def of_table(cls, items: pa.Table) -> Catalogue:
        """From columns `item_id` and `text`."""
        columns = (items.column(name).to_pylist() for name in ("item_id", "text"))
        return cls(dict(zip(*columns, strict=True)))

    def __len__(self) -> int:
        return len(self.item_ids)

    def items(self, numbers: Iterable[int]) -> list[Item]:
        """The items of some numbers."""
        return [self._items[number] for number in numbers]

    def numbers(self, item_ids: pa.Array) -> Numbers:
        """The numbers of some ids.

        Raises:
            InputDataError: one is not in the catalogue.
        """
        found = pc.index_in(item_ids.cast(pa.large_string()), value_set=self._ids)
        if found.null_count:
            unknown = item_ids.filter(pc.is_null(found))[0].as_py()
            raise InputDataError(
                f"The examples name item {unknown!r}, which table items does not hold; run stage"
                " export again."
            )
        numbers: Numbers = found.to_numpy().astype(np.int32, copy=False)
        return numbers
