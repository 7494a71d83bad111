"""The mixture of a blend's components: its weights, and the mixed lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from llm_i2i_spark.backbones.blend_engine.arrow_lists import lists_of, ranges
from llm_i2i_spark.backbones.blend_engine.components import (
    ComponentBlocks,
    ListMaker,
    make_lists,
)
from llm_i2i_spark.backbones.blend_engine.sample import Requests, Sample
from llm_i2i_spark.kernels.arrays import Float64Array, Int64Array
from llm_i2i_spark.kernels.mixture import (
    LEAST_CLICKS,
    ItemLists,
    MixedLists,
    learn_mixture,
    mix_lists,
    values_at,
)

VALUES = "request int, found array<double>"


def learn_weights(blocks: ComponentBlocks, sample: Sample) -> Float64Array:
    """(buckets, components) what each component counts in lists of items of so many clicks.

    Args:
        blocks: of the components, which know nothing of the held-out interactions.
        sample: of users.
    """
    maker, requests = make_lists(blocks), sample.requests
    if not len(requests.item):
        return np.full((len(LEAST_CLICKS), len(blocks.names)), 1 / (len(blocks.names) + 1))
    rows = blocks.frame.mapInArrow(
        partial(values_of_targets, maker=maker, requests=requests), VALUES
    ).toArrow()
    values = np.zeros((len(requests.item), len(blocks.names)))
    found = rows["found"].combine_chunks().flatten().to_numpy()
    values[rows["request"].to_numpy()] = found.reshape(-1, len(blocks.names))
    order = np.lexsort((requests.step, requests.user))
    user = requests.user[order]
    _, example = np.unique(user, return_inverse=True)
    weight = requests.weight[order]
    weight = weight / np.bincount(example, weight)[example]
    bucket = maker.buckets(requests.item[order])
    return learn_mixture(example, bucket, weight, values[order], 1 / blocks.catalogue.size)


def values_of_targets(
    batches: Iterator[pa.RecordBatch], maker: ListMaker, requests: Requests
) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: for each request what the components say of its target."""
    components = len(maker.names)
    for lists in maker.blocks(batches):
        request, row = requests.of_block(lists.items)
        found = values_at(lists, components, row, requests.target[request])
        yield pa.RecordBatch.from_pydict(
            {
                "request": request.astype(np.int32),
                "found": lists_of(found.ravel(), np.full(len(request), components)),
            }
        )


@dataclass(frozen=True)
class MixTask:
    """What a task needs to mix the lists of a block.

    Attributes:
        maker: of the lists.
        weights: (buckets, components).
        top_k: longest mixed list.
    """

    maker: ListMaker
    weights: Float64Array
    top_k: int

    def mix(self, lists: ItemLists) -> MixedLists:
        """The mixed lists of some items."""
        of_items = self.weights[self.maker.buckets(lists.items)]
        return mix_lists(lists, of_items, self.top_k, len(self.maker.arrays.clicks))


def some_lists(lists: ItemLists, rows: Int64Array, components: int) -> ItemLists:
    """The lists of some items of a block."""
    starts = lists.indptr[rows * components]
    lengths = lists.indptr[(rows + 1) * components] - starts
    entries = ranges(starts, lengths)
    each = np.diff(lists.indptr).reshape(-1, components)[rows].ravel()
    return ItemLists(
        lists.items[rows],
        np.r_[0, np.cumsum(each)].astype(np.int64),
        lists.neighbors[entries],
        lists.values[entries],
    )
