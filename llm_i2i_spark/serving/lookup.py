"""What to show a visitor: the neighbour lists of the latest clicks, merged, without Spark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from llm_i2i_spark.base.errors import ConfigError, require_at_least_one
from llm_i2i_spark.base.sections.index import IndexConfig
from llm_i2i_spark.kernels.id_search import find_ids
from llm_i2i_spark.kernels.list_merge import WeightedLists, recommend, step_weights
from llm_i2i_spark.serving.array_cache import load_arrays
from llm_i2i_spark.serving.index_arrays import IndexArrays, Origin
from llm_i2i_spark.serving.index_reader import find_index

DEFAULTS = IndexConfig()


class Suggestion(TypedDict):
    """One suggested item.

    `score` is its merged score; `synthetic_share` the part of it that synthetic interactions stand
    behind, None where the index does not say.
    """

    item_id: str
    rank: int
    score: float
    synthetic_share: float | None


class Lookup:
    """An index in memory-mapped arrays, and the merge of its lists: the one that `evaluate`
    measures, to the bit.

    Threads may share one; processes of a machine share its memory.

    Args:
        arrays: the index.
        recent_items: how many of the latest clicks bring their list.
        decay: weight of a click relative to the next later one, above 0 and at most 1.

    Raises:
        ConfigError: a setting is out of its range.

    Examples:
        >>> lookup = Lookup.open("my_lake")  # doctest: +SKIP
        >>> lookup.recommend(["A", "B"], k=3)  # doctest: +SKIP
    """

    def __init__(
        self,
        arrays: IndexArrays,
        recent_items: int = DEFAULTS.recent_items,
        decay: float = DEFAULTS.decay,
    ) -> None:
        if recent_items < 1 or not 0 < decay <= 1:
            raise ConfigError("recent_items must be at least 1, and decay above 0 and at most 1.")
        self._arrays = arrays
        self._weights = step_weights(decay, recent_items)
        self._one_list = step_weights(1.0, 1)
        self.neighbors("")  # loads the compiled code, so that no visitor waits for it

    @classmethod
    def open(
        cls,
        index: str | Path,
        variant: str | None = None,
        backbone: str | None = None,
        version: int | None = None,
        recent_items: int = DEFAULTS.recent_items,
        decay: float = DEFAULTS.decay,
        cache: str | Path | None = None,
    ) -> Lookup:
        """Open an index without Spark.

        The first process to open a version writes its arrays beside it (see
        `array_cache.load_arrays`); all later ones map them, after a look at every byte: arrays that
        are not as they were written are made again.

        Args:
            index: a lake's root or its table `item_index`, as a local path or a URI; or a local
                Parquet file that `index-export` wrote, or a folder of such files.
            variant: of the lists; None for llm_i2i before real, and the served before the
                evaluated index of each.
            backbone: the item-to-item model; None for Swing, or else the first by name.
            version: of the table; None for the latest.
            recent_items: how many of the latest clicks bring their list.
            decay: weight of a click relative to the next later one.
            cache: a local folder to keep the arrays in; None for the one beside the index.

        Raises:
            InputDataError: there is no such file, or its columns do not fit.
            UserError: the table, its version, or the variant and backbone are not there.
        """
        source = find_index(index, variant, backbone, version)
        return cls(load_arrays(source, cache), recent_items, decay)

    @property
    def origin(self) -> Origin:
        """Which index it is."""
        return self._arrays.origin

    @property
    def n_items(self) -> int:
        """How many items it knows, those without a list of their own included."""
        return self._arrays.n_items

    def recommend(self, clicks: Sequence[str], k: int = 10) -> list[Suggestion]:
        """The best items for a click list; empty where the index knows none of the clicks.

        score(j) = sum over the latest `recent_items` clicks i of decay^(clicks after i) *
        score(i, j), without what was clicked at all. An item clicked twice counts where it was
        clicked last. Equal scores go by id, shorter ids first.

        Args:
            clicks: item ids, oldest first.
            k: suggestions at most.

        Raises:
            ConfigError: the clicks are no list of ids, or `k` is below 1.
        """
        latest_first = list(dict.fromkeys(reversed(_checked(clicks))))
        numbers = self._numbers(latest_first)
        recent = numbers[: len(self._weights)]
        known = np.flatnonzero(recent >= 0)
        return self._merged(recent[known], self._weights[known], numbers[numbers >= 0], k)

    def knows(self, item_id: str) -> bool:
        """Whether the index has an item, with a list of its own or in that of another."""
        return bool(self._numbers([item_id])[0] >= 0)

    def neighbors(self, item_id: str, k: int | None = None) -> list[Suggestion]:
        """The list of an item, best first; empty where it has none.

        Args:
            item_id: the item.
            k: neighbours at most; None for all.

        Raises:
            ConfigError: `k` is below 1.
        """
        numbers = self._numbers([item_id])
        known = numbers[numbers >= 0]
        most = max(self._arrays.n_items, 1) if k is None else k
        return self._merged(known, self._one_list[: len(known)], known[:0], most)

    def _merged(
        self, items: NDArray[np.int64], weights: Any, owned: NDArray[np.int64], k: int
    ) -> list[Suggestion]:
        require_at_least_one("k", k)
        arrays = self._arrays
        lists = WeightedLists(
            arrays.list_start[items],
            arrays.list_end[items],
            weights,
            arrays.neighbor,
            arrays.score,
            arrays.synthetic_share,
        )
        found = recommend(
            lists,
            np.array([0, len(items)]),
            owned.astype(np.int32),
            np.array([0, len(owned)]),
            min(k, arrays.n_items),
        )
        shares = (
            found.synthetic_share
            if len(arrays.synthetic_share)
            else np.full(len(found.key), arrays.common_share)
        )
        rows = zip(found.key.tolist(), found.score.tolist(), shares.tolist(), strict=True)
        return [
            Suggestion(
                item_id=arrays.item_id(number),
                rank=rank,
                score=score,
                synthetic_share=None if share != share else share,
            )
            for rank, (number, score, share) in enumerate(rows, start=1)
        ]

    def _numbers(self, items: Sequence[str]) -> NDArray[np.int64]:
        """The numbers of some items; -1 for an unknown one."""
        texts = [item.encode("utf-8", "surrogatepass") for item in items]
        indptr = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(text) for text in texts], out=indptr[1:])
        found: NDArray[np.int64] = find_ids(
            np.frombuffer(b"".join(texts), np.uint8),
            indptr,
            self._arrays.id_bytes,
            self._arrays.id_indptr,
        )
        return found


def _checked(clicks: Sequence[str]) -> Sequence[str]:
    if isinstance(clicks, str) or not all(isinstance(item, str) for item in clicks):
        raise ConfigError('Clicks are a list of item ids as text, such as ["A", "B"].')
    return clicks
