"""From the components of a blend to its similarities."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from llm_i2i_spark.backbones.blend_engine.arrow_lists import lists_of
from llm_i2i_spark.backbones.blend_engine.components import ComponentBlocks, make_lists
from llm_i2i_spark.backbones.blend_engine.mix import MixTask
from llm_i2i_spark.backbones.cooccurrence.item_ids import restore_item_ids
from llm_i2i_spark.kernels.arrays import Float64Array
from llm_i2i_spark.kernels.combiner import Combiner
from llm_i2i_spark.kernels.mixture import MixedLists
from llm_i2i_spark.kernels.pair_features import pair_features

SHOWN = 3
"""Components that are named for a similarity."""
SYNTHETIC = ("attribution", "generated")
"""The components that come from language models alone: from synthetic interactions, and from what
the generator proposes after an item alone."""
PARTS = "array<struct<component:string,share:double>>"
SCORES = (
    "item int, neighbor int, similarity double, support int, synthetic_share double,"
    f" components {PARTS}"
)


def blend_similarities(
    blocks: ComponentBlocks, weights: Float64Array, combiner: Combiner | None, top_k: int
) -> DataFrame:
    """The similarities of all items; `Backbone.compute` has the contract, and `components` names
    what makes up each.

    Args:
        blocks: of the components.
        weights: (buckets, components) of the mixture.
        combiner: that corrects it; None to leave it as it is.
        top_k: neighbours of an item.
    """
    task = MixTask(make_lists(blocks), weights, top_k)
    scored = blocks.frame.mapInArrow(partial(score_blocks, task=task, combiner=combiner), SCORES)
    catalogue = blocks.catalogue
    return restore_item_ids(scored, catalogue.ids, catalogue.size, ("components",))


def score_blocks(
    batches: Iterator[pa.RecordBatch], task: MixTask, combiner: Combiner | None
) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: packed blocks to the similarities of their items."""
    names = task.maker.names
    for lists in task.maker.blocks(batches):
        mixed = task.mix(lists)
        similarity = mixed.mixture
        if combiner is not None:
            features = pair_features(mixed, task.maker.arrays)
            similarity = combiner.combine(mixed.mixture, features)
        shares = _shares(task, mixed)
        synthetic = np.minimum(shares[:, np.isin(names, SYNTHETIC)].sum(axis=1), 1.0)
        yield pa.RecordBatch.from_pydict(
            {
                "item": np.repeat(mixed.items, np.diff(mixed.indptr)),
                "neighbor": mixed.neighbors,
                "similarity": similarity,
                "support": pa.nulls(len(similarity), pa.int32()),
                "synthetic_share": synthetic,
                "components": _largest(shares, names),
            }
        )


def _shares(task: MixTask, mixed: MixedLists) -> Float64Array:
    """(entries, components) the part of each component in the mixture."""
    of_items = task.weights[task.maker.buckets(mixed.items)]
    of_entries = np.repeat(of_items, np.diff(mixed.indptr), axis=0)
    parts: Float64Array = of_entries * mixed.values / mixed.mixture[:, None]
    return parts


def _largest(shares: Float64Array, names: tuple[str, ...]) -> pa.ListArray:
    """The largest shares of each entry that are above 0, with the names of their components."""
    best = np.argsort(-shares, axis=1, kind="stable")[:, :SHOWN]
    values = np.take_along_axis(shares, best, axis=1)
    kept = values > 0
    entries = pa.StructArray.from_arrays(
        [pa.array(names).take(pa.array(best[kept])), pa.array(values[kept])],
        ["component", "share"],
    )
    return lists_of(entries, kept.sum(axis=1))
