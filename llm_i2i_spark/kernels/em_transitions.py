"""Expectation maximisation of transitions, for the clicks on some items (the targets) at a time.

Masses are sums in fixed point: whole numbers of 2^-32 clicks, which add up to the same in any order
and however the targets are divided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llm_i2i_spark.kernels.arrays import Float64Array, Int32Array, Int64Array

UNIT = 2.0**-32
"""Clicks in one unit of mass."""


@dataclass(frozen=True)
class TargetBlock:
    """All clicks on some items, each with the clicks before it.

    Attributes:
        sources: (pairs,) the distinct sources ...
        targets: (pairs,) ... and targets, sorted by both.
        pair: (events,) of each earlier click before a click, which pair it makes with it.
        click: (events,) the click that it stands before, ascending.
        weight: (events,) its share in that click by age and weight; the shares of a click sum to 1.
        clicks: (clicks,) weight of each click.
    """

    sources: Int32Array
    targets: Int32Array
    pair: Int64Array
    click: Int64Array
    weight: Float64Array
    clicks: Float64Array


def make_block(
    targets: Int32Array,
    lengths: Int32Array,
    sources: Int32Array,
    clicks: Float64Array,
    earlier: Float64Array,
    decay: float,
) -> TargetBlock:
    """Find the distinct pairs of a block.

    Args:
        targets: (clicks,) item index of each click.
        lengths: (clicks,) how many earlier clicks stand before it.
        sources: (events,) item indices of those, oldest first, click by click.
        clicks: (clicks,) weight of each click.
        earlier: (events,) weight of each earlier click.
        decay: weight of an earlier click relative to the next later one.
    """
    click = np.repeat(np.arange(len(targets)), lengths)
    age = np.cumsum(lengths)[click] - 1 - np.arange(len(sources))
    raw = earlier * decay ** age.astype(np.float64)
    weight = raw / np.bincount(click, raw, minlength=len(targets))[click]
    keys, pair = np.unique(_keys(sources, targets[click]), return_inverse=True)
    return TargetBlock(
        (keys >> 32).astype(np.int32),
        (keys & 0xFFFFFFFF).astype(np.int32),
        pair,
        click,
        weight,
        clicks,
    )


def prior_of_pairs(
    block: TargetBlock, sources: Int32Array, targets: Int32Array, values: Float64Array
) -> Float64Array:
    """The prior probability of each pair of a block, 0 where it has none.

    Args:
        block: of some targets.
        sources: item indices, of pairs in any order.
        targets: item indices.
        values: prior probability of the target after the source.
    """
    known = _keys(sources, targets)
    order = np.argsort(known)
    keys = _keys(block.sources, block.targets)
    if not len(known):
        return np.zeros(len(keys))
    place = order[np.minimum(np.searchsorted(known, keys, sorter=order), len(known) - 1)]
    return np.where(known[place] == keys, values[place], 0.0)


def transition_masses(
    block: TargetBlock, prior: Float64Array, prior_strength: float, totals: Sequence[Int64Array]
) -> Int64Array:
    """How much of the clicks on a pair's target is due to its source, after as many rounds as there
    are totals.

        mass(i, j) = sum over the clicks on j, each of weight e, of
                     e w_i S(i, j) / sum over the clicks h before it of w_h S(h, j),
        S(i, j) = (mass(i, j) + a prior(i, j)) / (total(i) + a)

    in each round with S of the round before; without any round mass(i, j) = sum of e w_i.

    Args:
        block: of some targets.
        prior: (pairs,) prior probability of the target after the source.
        prior_strength: a, in clicks.
        totals: for each round, (items,) the sums of the masses of a source before it.

    Returns:
        (pairs,) masses in units of 2^-32 clicks.
    """
    mass = _sums(block, block.weight)
    for total in totals:
        denominator = total[block.sources] * UNIT + prior_strength
        similarity = (mass * UNIT + prior_strength * prior) / np.maximum(denominator, UNIT)
        part = block.weight * similarity[block.pair]
        whole = np.bincount(block.click, part)[block.click]
        mass = _sums(block, np.divide(part, whole, out=np.zeros_like(part), where=whole > 0))
    return mass


def sum_by_source(block: TargetBlock, masses: Int64Array) -> tuple[Int32Array, Int64Array]:
    """The sources of a block and the sum of their masses in it."""
    sources, place = np.unique(block.sources, return_inverse=True)
    totals = np.zeros(len(sources), np.int64)
    np.add.at(totals, place, masses)
    return sources, totals


def _sums(block: TargetBlock, shares: Float64Array) -> Int64Array:
    masses = np.zeros(len(block.sources), np.int64)
    units = np.rint(shares * block.clicks[block.click] / UNIT).astype(np.int64)
    np.add.at(masses, block.pair, units)
    return masses


def _keys(sources: Int32Array, targets: Int32Array) -> NDArray[np.int64]:
    return (sources.astype(np.int64) << 32) | targets
