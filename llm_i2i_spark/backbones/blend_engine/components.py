"""The components of a blend: lists of several item-to-item models, block by block of items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.base import BackboneRun
from llm_i2i_spark.backbones.blend import COMPONENTS, Blend
from llm_i2i_spark.backbones.blend_engine.catalogue import (
    Catalogue,
    collect_catalogue,
    count_items,
)
from llm_i2i_spark.backbones.blend_engine.item_lists import multiply_lists, pack_lists
from llm_i2i_spark.backbones.generated import Generated
from llm_i2i_spark.backbones.text import Text
from llm_i2i_spark.kernels.arrays import Float64Array, Int32Array, Int64Array
from llm_i2i_spark.kernels.mixture import ItemLists, bucket_of
from llm_i2i_spark.kernels.pair_features import CatalogueArrays
from llm_i2i_spark.lake.capabilities import cores
from llm_i2i_spark.lake.grouped_map import map_each

STORED = ("em_transitions", "reverse", "two_hops", "text", "attribution", "generated")
"""Components that are computed and kept ..."""
DERIVED = ("popular_text", "brand", "popular")
"""... and those that a task makes from the others and from what it knows of all items."""
HOPS = 60
"""Best neighbours that a step of two counts."""
LONGEST = 400
"""Entries of a list."""
TEXT_NEIGHBORS = 100
POPULAR = 100
TEXT_EXPONENT, POPULAR_TEXT_EXPONENT, CLICKS_EXPONENT = 4.0, 2.0, 0.7
ITEMS_PER_BLOCK = 2048
NONE: tuple[Int32Array, Float64Array] = np.empty(0, np.int32), np.empty(0)
BLOCKS = "items array<int>, lengths array<int>, neighbors array<int>, values array<float>"


@dataclass(frozen=True)
class ComponentBlocks:
    """The lists of all items by all components.

    Attributes:
        frame: columns `BLOCKS`, a row a block: its items ascending; the lengths of the stored lists
            of each, in the order of `stored`; the entries of all of them.
        names: of the components, in the order in which weights and features have them.
        stored: those that stand in the frame.
        catalogue: of all items.
    """

    frame: DataFrame
    names: tuple[str, ...]
    stored: tuple[str, ...]
    catalogue: Catalogue


def find_components(blend: Blend, interactions: DataFrame, run: BackboneRun) -> ComponentBlocks:
    """All components that the data at hand allow.

    Args:
        blend: which of them, and their parameters.
        interactions: of `Backbone.compute`.
        run: with the tables `items`, `item_features` and `item_candidates`, where there are any.
    """
    items = run.tables.get("items")
    catalogue = collect_catalogue(run.staged(count_items(interactions, items), "items"))
    lists = _stored_lists(blend, interactions, run, catalogue)
    names = tuple(name for name in COMPONENTS if name in blend.components)
    names = tuple(name for name in names if name in lists or _can_derive(name, lists, catalogue))
    stored = tuple(name for name in STORED if name in lists)
    size = catalogue.size
    blocks = max(cores(interactions.sparkSession), -(-size // ITEMS_PER_BLOCK))
    rows = catalogue.ids.select(
        F.col("item_idx").alias("item"),
        F.lit(None).cast("array<int>").alias("neighbors"),
        F.lit(None).cast("array<double>").alias("values"),
        F.lit(None).cast("int").alias("component"),
    )
    for number, name in enumerate(stored):
        rows = rows.unionByName(lists[name].withColumn("component", F.lit(number)))
    tasks = rows.withColumn("block", F.pmod("item", F.lit(blocks)).cast("int"))
    packed = map_each(tasks, "block", blocks, partial(pack_block, components=len(stored)), BLOCKS)
    return ComponentBlocks(run.staged(packed, "components"), names, stored, catalogue)


def _stored_lists(
    blend: Blend, interactions: DataFrame, run: BackboneRun, catalogue: Catalogue
) -> dict[str, DataFrame]:
    """Columns `LISTS` by the name of the component; those that have no source are left out."""
    ids, size = catalogue.ids, catalogue.size
    # Synthetic interactions have a component of their own, which serves them better than the prior
    # of the transitions does, and costs much less.
    real = interactions.where(F.col("source") == "real")
    found = blend.of_transitions().compute(real, run)
    transitions = run.staged(found, "transitions, all pairs")
    lists = {
        "em_transitions": run.staged(pack_lists(transitions, ids, size, LONGEST), "transitions")
    }
    turned = transitions.select(
        F.col("neighbor_id").alias("item_id"), F.col("item_id").alias("neighbor_id"), "similarity"
    )
    lists["reverse"] = pack_lists(turned, ids, size, LONGEST)
    steps = lists["em_transitions"]
    lists["two_hops"] = multiply_lists(steps, steps, size, HOPS, LONGEST)
    if "item_features" in run.tables:
        text = Text(top_k=TEXT_NEIGHBORS, exponent=TEXT_EXPONENT)
        lists["text"] = pack_lists(text.compute(interactions, run), ids, size, TEXT_NEIGHBORS)
    if not interactions.where(F.col("source") != "real").isEmpty():
        rows = blend.of_attribution().compute(interactions, run)
        lists["attribution"] = pack_lists(rows, ids, size, LONGEST)
    candidates = run.tables.get("item_candidates")
    if candidates is not None and not candidates.isEmpty():
        proposed = Generated(top_k=LONGEST).compute(interactions, run)
        lists["generated"] = pack_lists(proposed, ids, size, LONGEST)
    wanted = {*blend.components, *(["text"] if "popular_text" in blend.components else [])}
    return {name: frame for name, frame in lists.items() if name in wanted}


def _can_derive(name: str, lists: Mapping[str, DataFrame], catalogue: Catalogue) -> bool:
    if name == "popular_text":
        return "text" in lists
    if name == "brand":
        return bool((catalogue.arrays.brand >= 0).any())
    return name in DERIVED


def pack_block(batches: Iterator[pa.RecordBatch], components: int) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: all lists of some items as one row."""
    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    table = pa.Table.from_batches(received)
    of_block = np.unique(table["item"].to_numpy())
    table = table.filter(table["component"].is_valid())
    items, component = table["item"].to_numpy(), table["component"].to_numpy()
    order = np.lexsort((component, items))
    table = table.take(pa.array(order)).combine_chunks()
    neighbors, values = (table[name].combine_chunks() for name in ("neighbors", "values"))
    lengths = np.zeros(len(of_block) * components, np.int32)
    places = np.searchsorted(of_block, items) * components + component
    lengths[places[order]] = np.diff(neighbors.offsets.to_numpy())
    row = {
        "items": of_block,
        "lengths": lengths,
        "neighbors": neighbors.flatten().to_numpy(),
        "values": values.flatten().to_numpy().astype(np.float32),
    }
    yield pa.RecordBatch.from_pydict({name: [column] for name, column in row.items()})


@dataclass(frozen=True)
class ListMaker:
    """Makes the lists of all components of a block; sent to every task.

    Attributes:
        names: of the components.
        stored: those that stand in a block.
        arrays: of the catalogue.
    """

    names: tuple[str, ...]
    stored: tuple[str, ...]
    arrays: CatalogueArrays

    def blocks(self, batches: Iterator[pa.RecordBatch]) -> Iterator[ItemLists]:
        """The lists of each packed block."""
        groups = _Groups(self.arrays)
        for batch in batches:
            for row in range(batch.num_rows):
                arrays = {
                    name: batch.column(name)[row].values.to_numpy(zero_copy_only=False)
                    for name in batch.schema.names
                }
                yield self._lists(arrays, groups)

    def buckets(self, items: Int32Array) -> Int64Array:
        """The bucket of each item by its clicks."""
        return bucket_of(self.arrays.clicks[items])

    def _lists(self, block: Mapping[str, NDArray[Any]], groups: _Groups) -> ItemLists:
        items, stored = block["items"], len(self.stored)
        indptr = np.r_[0, np.cumsum(block["lengths"], dtype=np.int64)]
        neighbors, values = block["neighbors"], block["values"].astype(np.float64)
        parts: list[tuple[Int32Array, Float64Array]] = []
        for number, item in enumerate(items):
            own: dict[str, tuple[Int32Array, Float64Array]] = {}
            for k, name in enumerate(self.stored):
                start, end = indptr[number * stored + k], indptr[number * stored + k + 1]
                own[name] = neighbors[start:end], values[start:end]
            if "popular_text" in self.names and "text" in own:
                near, similarity = own["text"]
                clicks = self.arrays.clicks[near].astype(np.float64)
                popular = (clicks + 0.3) ** CLICKS_EXPONENT
                power = POPULAR_TEXT_EXPONENT / TEXT_EXPONENT
                own["popular_text"] = near, _scaled(similarity**power * popular)
            if "brand" in self.names:
                own["brand"] = groups.of_brand(int(item))
            if "popular" in self.names:
                own["popular"] = groups.popular(int(item))
            parts += [own.get(name, NONE) for name in self.names]
        lengths = [len(part[0]) for part in parts]
        return ItemLists(
            items,
            np.r_[0, np.cumsum(lengths)].astype(np.int64),
            np.concatenate([part[0] for part in parts]).astype(np.int32),
            np.concatenate([part[1] for part in parts]),
        )


class _Groups:
    """The most clicked items of each brand, and of all."""

    def __init__(self, arrays: CatalogueArrays) -> None:
        self._arrays = arrays
        by_clicks = np.argsort(-arrays.clicks, kind="stable")
        self._popular = by_clicks[: POPULAR + 1].astype(np.int32)
        brands = arrays.brand[by_clicks]
        by_brand = np.argsort(brands, kind="stable")
        self._items = by_clicks[by_brand].astype(np.int32)
        self._starts = np.searchsorted(brands[by_brand], np.arange(brands.max(initial=-1) + 2))

    def of_brand(self, item: int) -> tuple[Int32Array, Float64Array]:
        """Items of the same brand in proportion to their clicks and a half."""
        brand = self._arrays.brand[item]
        if brand < 0:
            return NONE
        start = self._starts[brand]
        return self._weighed(self._items[start : self._starts[brand + 1]][: LONGEST + 1], item)

    def popular(self, item: int) -> tuple[Int32Array, Float64Array]:
        """The most clicked items in proportion to their clicks and a half."""
        return self._weighed(self._popular, item)

    def _weighed(self, items: Int32Array, item: int) -> tuple[Int32Array, Float64Array]:
        others = items[items != item]
        return others, _scaled(self._arrays.clicks[others] + 0.5)


def _scaled(values: Float64Array) -> Float64Array:
    return values / values.sum() if len(values) else values


def make_lists(blocks: ComponentBlocks) -> ListMaker:
    """What the tasks over some blocks are given."""
    return ListMaker(blocks.names, blocks.stored, blocks.catalogue.arrays)
