"""What a run will cost, from degree counts alone: logged before it starts, refused where it cannot
fit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from llm_i2i_spark.backbones.base import EngineOptions
from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.kernels.arrays import Int64Array

EDGE_BYTES = 4
WEIGHT_BYTES = 8
MOST_BLOCKS = 65_000
GIB = 2.0**30


@dataclass(frozen=True)
class Degrees:
    """How often each degree occurs in the click matrix.

    Attributes:
        of_users: items of a user -> users, from two items on and after `max_items_per_user`.
        of_items: users of an item -> items.
        weighted: edges with a weight of their own.
    """

    of_users: Mapping[int, int]
    of_items: Mapping[int, int]
    weighted: int = 0

    @property
    def users(self) -> int:
        """Users with at least two items."""
        return sum(self.of_users.values())

    @property
    def items(self) -> int:
        """Items with at least one user."""
        return sum(self.of_items.values())

    @property
    def rows(self) -> int:
        """Edges in the users' rows."""
        return sum(length * users for length, users in self.of_users.items())

    @property
    def edge_bytes(self) -> float:
        """Bytes of a shipped edge, on average: one with a weight of its own carries it."""
        return EDGE_BYTES + WEIGHT_BYTES * self.weighted / max(self.rows, 1)

    @property
    def longest(self) -> int:
        """The most items of a user."""
        return max(self.of_users, default=0)

    @property
    def hottest(self) -> int:
        """The most users of an item."""
        return max(self.of_items, default=0)

    def capped(self, max_users: int | None) -> Degrees:
        """The degrees where an item's row sums over at most `max_users` users."""
        of_items: dict[int, int] = {}
        for clicks, items in self.of_items.items():
            kept = clicks if max_users is None else min(clicks, max_users)
            of_items[kept] = of_items.get(kept, 0) + items
        return Degrees(self.of_users, of_items, self.weighted)


@dataclass(frozen=True)
class Plan:
    """The cost of one computation.

    Attributes:
        degrees: of the click matrix, before the cap of users an item.
        user_wedges: W_U, pairs of users over all items: what a plan by user pairs would ship.
        item_wedges: W_I, pairs of items over all users.
        butterflies: upper bound of the terms of all similarities.
        shipped_edges: edges in the rows that go to blocks, each user's row once a block.
        blocks: item blocks.
    """

    degrees: Degrees
    user_wedges: int
    item_wedges: int
    butterflies: int
    shipped_edges: int
    blocks: int

    @property
    def shuffle_bytes(self) -> int:
        """Of the rows that go to blocks, uncompressed."""
        return round(self.degrees.edge_bytes * self.shipped_edges)

    @property
    def block_bytes(self) -> int:
        """Of the rows of an average block."""
        return self.shuffle_bytes // self.blocks

    def numbers(self) -> dict[str, int]:
        """The plan as it stands in the run record."""
        degrees = {
            "users": self.degrees.users,
            "items": self.degrees.items,
            "rows": self.degrees.rows,
            "longest_list": self.degrees.longest,
        }
        costs = {
            "user_wedges": self.user_wedges,
            "item_wedges": self.item_wedges,
            "butterflies_bound": self.butterflies,
        }
        return {
            **degrees,
            **costs,
            "blocks": self.blocks,
            "shuffle_bytes": self.shuffle_bytes,
            "block_bytes": self.block_bytes,
        }

    def sentence(self) -> str:
        """The plan in one line."""
        return (
            f"{self.degrees.users:,} users, {self.degrees.items:,} items, {self.degrees.rows:,}"
            f" rows; {self.user_wedges:,} user pairs, {self.item_wedges:,} item pairs, at most"
            f" {self.butterflies:,} terms; {self.blocks} blocks of {_bytes(self.block_bytes)},"
            f" {_bytes(self.shuffle_bytes)} to shuffle"
        )


def measure_degrees(lists: DataFrame, clicks: Int64Array) -> Degrees:
    """The degrees of the click matrix.

    Args:
        lists: packed lists, from `build_user_lists`.
        clicks: (items,) users of each item.
    """
    counted = (
        lists.select("lengths", "data")
        .mapInArrow(_count_lengths, "length int, users bigint, weighted bigint")
        .toArrow()
    )
    of_users: Counter[int] = Counter()
    for length, users in zip(
        counted["length"].to_pylist(), counted["users"].to_pylist(), strict=True
    ):
        of_users[length] += users
    users_of_item, items = np.unique(clicks[clicks > 0], return_counts=True)
    of_items = dict(zip(users_of_item.tolist(), items.tolist(), strict=True))
    return Degrees(of_users, of_items, sum(counted["weighted"].to_pylist()))


def _count_lengths(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: the users of a partition by number of items; their weighted
    edges stand in the first row.
    """
    from llm_i2i_spark.backbones.cooccurrence.packed_lists import values

    users: Counter[int] = Counter()
    weighted = 0
    for batch in batches:
        lengths, counts = np.unique(values(batch, "lengths", np.int32), return_counts=True)
        users.update(dict(zip(lengths.tolist(), counts.tolist(), strict=True)))
        weighted += len(values(batch, "data", np.float64))
    if users:
        columns = {
            "length": list(users),
            "users": list(users.values()),
            "weighted": [weighted] + [0] * (len(users) - 1),
        }
        yield pa.RecordBatch.from_pydict(
            columns,
            pa.schema([("length", pa.int32()), ("users", pa.int64()), ("weighted", pa.int64())]),
        )


def make_plan(
    degrees: Degrees, max_users_per_item: int | None, options: EngineOptions, cores: int
) -> Plan:
    """Choose the number of blocks, and say what it will cost.

    Args:
        degrees: before the cap of users an item.
        max_users_per_item: the cap; None for all users.
        options: the budget of a block, and the number of blocks where it is given.
        cores: tasks that run at once.

    Raises:
        ConfigError: the row of a single item outgrows what a block may hold, or the blocks are too
            many.
    """
    left, block_bytes = degrees.capped(max_users_per_item), options.block_bytes
    _check_hottest(left, block_bytes)
    wanted = options.blocks or _choose_blocks(left, cores, block_bytes)
    if wanted > MOST_BLOCKS:
        raise ConfigError(
            f"The lists of this log need {wanted:,} blocks of {_bytes(block_bytes)} and"
            f" {MOST_BLOCKS:,} is the most; lower i2i.max_items_per_user, or raise"
            " i2i.block_bytes where executors have the memory."
        )
    user_wedges = sum(_pairs(clicks) * items for clicks, items in left.of_items.items())
    item_wedges = sum(_pairs(length) * users for length, users in left.of_users.items())
    # A term is two wedges between the same two users, or the same two items; under a cap either
    # row of a pair may have it alone, so a half counts as a whole.
    terms = min(user_wedges * max(left.longest - 1, 0), item_wedges * max(left.hottest - 1, 0))
    butterflies = (terms + 1) // 2
    return Plan(
        degrees,
        user_wedges,
        item_wedges,
        butterflies,
        round(_shipped_edges(left.of_users, wanted)),
        wanted,
    )


def _choose_blocks(degrees: Degrees, cores: int, block_bytes: int) -> int:
    """The fewest blocks that keep every core busy and each block within its budget: fewer blocks
    ship less.
    """
    blocks = cores
    while (
        blocks <= MOST_BLOCKS
        and degrees.edge_bytes * _shipped_edges(degrees.of_users, blocks) > blocks * block_bytes
    ):
        blocks = math.ceil(blocks * 1.25)
    return blocks


def _shipped_edges(of_users: Mapping[int, int], blocks: int) -> float:
    """Expected: a user of n items touches blocks * (1 - (1 - 1 / blocks)^n) of the blocks if items
    are assigned at random.
    """
    missed = math.log1p(-1 / blocks) if blocks > 1 else -math.inf
    return sum(
        users * length * blocks * -math.expm1(length * missed) for length, users in of_users.items()
    )


def _check_hottest(degrees: Degrees, block_bytes: int) -> None:
    rows = max(degrees.rows, 1)
    # Seen from an item, a user with twice as many items is met twice as often.
    mean_list = sum(length * length * users for length, users in degrees.of_users.items()) / rows
    needed = degrees.hottest * mean_list * degrees.edge_bytes
    if needed > 4 * block_bytes:
        raise ConfigError(
            f"One item has {degrees.hottest:,} users, whose lists alone are {_bytes(needed)}; "
            "set i2i.max_users_per_item (1,000, for instance), or raise i2i.block_bytes."
        )


def _pairs(n: int) -> int:
    return n * (n - 1) // 2


def _bytes(n: float) -> str:
    return f"{n / GIB:,.1f} GiB" if n >= GIB else f"{n / 2**20:,.1f} MiB"
