"""What a run of Swing will cost, from degree counts alone: printed before it starts, refused where
it cannot fit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.config.i2i import I2iConfig

EDGE_BYTES = 4
WEIGHT_BYTES = 8
MOST_BLOCKS = 65_000
GIB = 2.0**30


@dataclass(frozen=True)
class Degrees:
    """How often each degree occurs in a variant.

    Attributes:
        of_users: list length -> users, from two items on and after `max_items_per_user`.
        of_items: clicks -> items.
        synthetic: rows that a model proposed.
    """

    of_users: Mapping[int, int]
    of_items: Mapping[int, int]
    synthetic: int = 0

    @property
    def users(self) -> int:
        """Users with at least two items."""
        return sum(self.of_users.values())

    @property
    def items(self) -> int:
        """Items with at least one row."""
        return sum(self.of_items.values())

    @property
    def rows(self) -> int:
        """Edges in the lists."""
        return sum(length * users for length, users in self.of_users.items())

    @property
    def edge_bytes(self) -> float:
        """Bytes of an edge in a shipped list, on average: a synthetic one carries its weight."""
        return EDGE_BYTES + WEIGHT_BYTES * self.synthetic / max(self.rows, 1)

    @property
    def longest(self) -> int:
        """The longest list."""
        return max(self.of_users, default=0)

    @property
    def hottest(self) -> int:
        """The most clicks of an item."""
        return max(self.of_items, default=0)

    def capped(self, cap: int | None) -> Degrees:
        """The degrees where an item's row is summed over at most `cap` users."""
        of_items: dict[int, int] = {}
        for clicks, items in self.of_items.items():
            kept = clicks if cap is None else min(clicks, cap)
            of_items[kept] = of_items.get(kept, 0) + items
        return Degrees(self.of_users, of_items, self.synthetic)


@dataclass(frozen=True)
class Plan:
    """The cost of one variant.

    Attributes:
        user_wedges: W_U, pairs of users over all items: what a plan by user pairs would ship.
        item_wedges: W_I, pairs of items over all users.
        butterflies: upper bound of the terms of all similarities.
        shipped_edges: edges in the lists that go to blocks, each list once a block.
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
        """Of the lists that go to blocks, uncompressed."""
        return round(self.degrees.edge_bytes * self.shipped_edges)

    @property
    def block_bytes(self) -> int:
        """Of the lists of an average block."""
        return self.shuffle_bytes // self.blocks

    def numbers(self) -> dict[str, int]:
        """The plan for the run record."""
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
        """The plan as one line for the person who started the run."""
        return (
            f"{self.degrees.users:,} users, {self.degrees.items:,} items, {self.degrees.rows:,}"
            f" rows; {self.user_wedges:,} user pairs, {self.item_wedges:,} item pairs, at most"
            f" {self.butterflies:,} terms; {self.blocks} blocks of {_bytes(self.block_bytes)},"
            f" {_bytes(self.shuffle_bytes)} to shuffle"
        )


def measure_degrees(lists: DataFrame, clicks: npt.NDArray[np.int64]) -> Degrees:
    """The degrees of a variant.

    Args:
        lists: parcels, from `user_lists`.
        clicks: of the variant, by item number.
    """
    counted = (
        lists.select("lengths", "weights")
        .mapInArrow(_count_lengths, "length int, users bigint, synthetic bigint")
        .toArrow()
    )
    of_users: Counter[int] = Counter()
    for length, users in zip(
        counted["length"].to_pylist(), counted["users"].to_pylist(), strict=True
    ):
        of_users[length] += users
    values, items = np.unique(clicks[clicks > 0], return_counts=True)
    of_items = dict(zip(values.tolist(), items.tolist(), strict=True))
    return Degrees(of_users, of_items, sum(counted["synthetic"].to_pylist()))


def _count_lengths(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Runs in Spark's Python workers: the lists of a partition by length; their synthetic edges
    stand in the first row.
    """
    from llm_i2i_spark.backbones.cooccurrence.packed_lists import flat

    users: Counter[int] = Counter()
    synthetic = 0
    for batch in batches:
        values, counts = np.unique(flat([batch], "lengths", np.int32), return_counts=True)
        users.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        synthetic += len(flat([batch], "weights", np.float64))
    if users:
        columns = {
            "length": list(users),
            "users": list(users.values()),
            "synthetic": [synthetic] + [0] * (len(users) - 1),
        }
        yield pa.RecordBatch.from_pydict(
            columns,
            pa.schema([("length", pa.int32()), ("users", pa.int64()), ("synthetic", pa.int64())]),
        )


def make_plan(degrees: Degrees, settings: I2iConfig, cores: int) -> Plan:
    """Choose the number of blocks, and say what it will cost.

    Args:
        degrees: of the variant, before caps.
        settings: the caps, the budget of a block, and the number of blocks where it is given.
        cores: tasks that run at once.

    Raises:
        UserError: the row of a single item outgrows what a block may hold, or the blocks are too
            many.
    """
    left, block_bytes = degrees.capped(settings.swing.max_users_per_item), settings.block_bytes
    _check_hottest(left, block_bytes)
    wanted = settings.blocks or _choose_blocks(left, cores, block_bytes)
    if wanted > MOST_BLOCKS:
        raise UserError(
            f"The lists of this log need {wanted:,} blocks of {_bytes(block_bytes)} and"
            f" {MOST_BLOCKS:,} is the most; lower i2i.swing.max_items_per_user, or raise"
            " i2i.block_bytes where executors have the memory."
        )
    user_wedges = sum(_pairs(clicks) * items for clicks, items in left.of_items.items())
    item_wedges = sum(_pairs(length) * users for length, users in left.of_users.items())
    # A term is two wedges between the same two users, or the same two items.
    butterflies = (
        min(user_wedges * max(left.longest - 1, 0), item_wedges * max(left.hottest - 1, 0)) // 2
    )
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
    """Expected: a list of n items touches blocks * (1 - (1 - 1 / blocks)^n) of the blocks if items
    are dealt at random.
    """
    missed = math.log1p(-1 / blocks) if blocks > 1 else -math.inf
    return sum(
        users * length * blocks * -math.expm1(length * missed) for length, users in of_users.items()
    )


def _check_hottest(degrees: Degrees, block_bytes: int) -> None:
    rows = max(degrees.rows, 1)
    # Seen from an item, a user with a list twice as long is met twice as often.
    mean_list = sum(length * length * users for length, users in degrees.of_users.items()) / rows
    needed = degrees.hottest * mean_list * degrees.edge_bytes
    if needed > 4 * block_bytes:
        raise UserError(
            f"One item has {degrees.hottest:,} users, whose lists alone are {_bytes(needed)}; "
            "set i2i.swing.max_users_per_item (1,000, for instance), or raise i2i.block_bytes."
        )


def _pairs(n: int) -> int:
    return n * (n - 1) // 2


def _bytes(n: float) -> str:
    return f"{n / GIB:,.1f} GiB" if n >= GIB else f"{n / 2**20:,.1f} MiB"
