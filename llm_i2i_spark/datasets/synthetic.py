"""A synthetic data set: a catalogue whose titles tell which items go together, and a click log
whose long tail is too thin to tell.

Items come in series of six products, a routine such as shampoo, conditioner, hair mask. A user
prefers two departments, has a favourite series in each, and clicks in sessions: from product to
product along a series, now and then straying to another series (often of the same brand) or to any
item. Series are chosen by Zipf's law, so many have too few clicks for co-occurrence statistics,
while their titles name series and product just as those of popular items do.

Every random number is a hash of (seed, purpose, user or item, counter), so the clicks of a user are
a pure function of the user's number, the seed and the size of the catalogue: any slice can be made
on any machine, and 10^8 rows made in Spark equal those made locally.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from math import gcd

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llm_i2i_spark.datasets.counter_random import Float64Array, Int64Array, geometric, uniform
from llm_i2i_spark.datasets.vocabulary import (
    BRAND_FIRST,
    BRAND_SECOND,
    DEPARTMENTS,
    PRODUCTS_PER_SERIES,
    SERIES_FIRST,
    SERIES_SECOND,
)

BoolArray = npt.NDArray[np.bool_]

MIN_CLICKS, MAX_CLICKS = 5, 40
"""Clicks of a user, at least and at most."""
MEAN_FURTHER_CLICKS = 4.5
"""Mean number of clicks above the minimum."""
NEW_SESSION = 0.36
"""Probability that a click opens a session."""
FIRST_DEPARTMENT = 0.65
"""Probability that a session is in the first of the user's two departments."""
LOYALTY = 0.5
"""Probability that a session is in the favourite series of its department."""
STRAY_SERIES = 0.2
"""Probability that a click leaves the session's series; half of them stay with its brand."""
STRAY_ANYWHERE = 0.1
"""Probability that a click goes to any item."""
SERIES_EXPONENT = 0.9
"""Of Zipf's law over the series of a department."""
FIRST_PRODUCT = (0.34, 0.24, 0.17, 0.12, 0.08, 0.05)
"""Probability that a session begins at each product of its series."""
SERIES_PER_BRAND = 3
UNBRANDED = 0.12
"""Share of the items without a brand in the catalogue."""
FIRST_SECOND = 1_704_067_200  # 2024-01-01 in unix seconds
DAY = 86_400
INTERACTION_SCHEMA = pa.schema(
    [("user_id", pa.string()), ("item_id", pa.string()), ("ts", pa.timestamp("us", tz="UTC"))]
)
CATALOGUE_SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("title", pa.string()),
        ("brand", pa.string()),
        ("category", pa.string()),
    ]
)


class _Purpose(IntEnum):
    """What a random number is for: its stream."""

    CLICKS = 0
    OPENS_SESSION = 1
    LAST_ITEMS = 2
    DEPARTMENT_CHOICE = 3
    DEPARTMENT = 4
    LOYAL = 5
    FAVOURITE_SERIES = 6
    SERIES = 7
    FIRST_PRODUCT = 8
    STRAYS = 9
    STRAY_TARGET = 10
    GAP = 11
    FIRST_CLICK = 12
    ADJECTIVE = 20
    SIZE = 21
    UNBRANDED = 22


@dataclass(frozen=True)
class SyntheticDataset:
    """A data set of any number of users.

    Item number n is product n mod 6 of series n // 6; with D departments, series s belongs to
    department s mod D and has popularity rank s // D in it.

    Attributes:
        n_items: items in the catalogue.
        seed: of every random number.
    """

    n_items: int
    seed: int

    @property
    def series_per_department(self) -> int:
        """Complete series in each department."""
        return max(self.n_items // (PRODUCTS_PER_SERIES * len(DEPARTMENTS)), 1)

    def interactions(self, users: Int64Array) -> pa.RecordBatch:
        """The clicks of some users, by user in the order given, then by time; a user never clicks
        an item twice.

        Args:
            users: user numbers, from 0.

        Returns:
            `INTERACTION_SCHEMA`: at least 5 and at most 40 rows a user.
        """
        further = geometric(self._random(_Purpose.CLICKS, users), MEAN_FURTHER_CLICKS)
        wanted = np.minimum(MIN_CLICKS + further, min(MAX_CLICKS, self.n_items))
        # More clicks than wanted are drawn, since repeats go; the last five are distinct whatever
        # the walk along the series does.
        walked = wanted + wanted // 2 + 3
        drawn = walked + MIN_CLICKS
        first = np.cumsum(drawn) - drawn
        owner = np.repeat(np.arange(len(users)), drawn)
        turn = np.arange(len(owner)) - first[owner]
        user = users[owner]
        opens = (turn == 0) | (self._random(_Purpose.OPENS_SESSION, user, turn) < NEW_SESSION)
        items = self._clicked_items(user, turn, opens)
        last = turn >= walked[owner]
        start = (self._random(_Purpose.LAST_ITEMS, user) * self.n_items).astype(np.int64)
        items[last] = (start + turn)[last] % self.n_items
        seconds = self._click_times(user, turn, opens, first[owner])
        kept = _first_of_each(owner * self.n_items + items)
        kept_before: Int64Array = np.cumsum(kept) - kept
        kept &= kept_before - kept_before[first[owner]] < wanted[owner]
        micros = pa.array(seconds[kept] * 1_000_000).cast(INTERACTION_SCHEMA.field("ts").type)
        columns = [_ids("u", user[kept], 10**8), self.item_ids(items[kept]), micros]
        return pa.RecordBatch.from_arrays(columns, schema=INTERACTION_SCHEMA)

    def catalogue(self, items: Int64Array) -> pa.RecordBatch:
        """The catalogue rows of some item numbers, in the order given: `CATALOGUE_SCHEMA`."""
        series, product = np.divmod(items, PRODUCTS_PER_SERIES)
        rank, department = np.divmod(series, len(DEPARTMENTS))
        adjective = (self._random(_Purpose.ADJECTIVE, items) * 4).astype(np.int64)
        size = (self._random(_Purpose.SIZE, items) * 4).astype(np.int64)
        unbranded = self._random(_Purpose.UNBRANDED, items) < UNBRANDED
        titles, brands, categories = [], [], []
        for d, r, p, a, s in zip(
            *(part.tolist() for part in (department, rank, product, adjective, size)), strict=True
        ):
            words = DEPARTMENTS[d]
            brands.append(_brand(d, r))
            described = f"{words.adjectives[a]} {words.products[p]}, {words.sizes[s]}"
            titles.append(f"{brands[-1]} {_series(d, r)} {described}")
            categories.append(f"{words.path} > {words.products[p]}")
        columns = [
            self.item_ids(items),
            pa.array(titles),
            pa.array(brands, pa.string(), mask=unbranded),
            pa.array(categories),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=CATALOGUE_SCHEMA)

    def item_ids(self, items: Int64Array) -> pa.Array:
        """Ids of item numbers, permuted so that neighbouring ids say nothing of neighbouring
        items.
        """
        factor = next(
            candidate
            for candidate in range(int(self.n_items * 0.618) | 1, 2 * self.n_items + 2)
            if gcd(candidate, self.n_items) == 1
        )
        return _ids("i", (items * factor + self.seed) % self.n_items, self.n_items)

    def _clicked_items(self, user: Int64Array, turn: Int64Array, opens: BoolArray) -> Int64Array:
        """The item number of each click: along a series in each session, some clicks astray."""
        session = np.cumsum(opens) - 1
        who, start = user[opens], turn[opens]
        # 0 or 1, which of the user's two departments: all sessions in it share department and
        # favourite series.
        choice = (self._random(_Purpose.DEPARTMENT_CHOICE, who, start) >= FIRST_DEPARTMENT).astype(
            np.int64
        )
        chance = self._random(_Purpose.DEPARTMENT, who, choice)
        department = (chance**1.5 * len(DEPARTMENTS)).astype(np.int64)
        favourite = self._random(_Purpose.FAVOURITE_SERIES, who, choice)
        other_series = self._random(_Purpose.SERIES, who, start)
        loyal = self._random(_Purpose.LOYAL, who, start) < LOYALTY
        rank = self._zipf(np.where(loyal, favourite, other_series))
        begin = np.searchsorted(
            np.cumsum(FIRST_PRODUCT[:-1]),
            self._random(_Purpose.FIRST_PRODUCT, who, start),
            side="right",
        )
        product = (begin[session] + turn - start[session]) % PRODUCTS_PER_SERIES
        department, rank = department[session], rank[session]
        strays = self._random(_Purpose.STRAYS, user, turn)
        target = self._random(_Purpose.STRAY_TARGET, user, turn)
        same_brand = np.minimum(
            rank // SERIES_PER_BRAND * SERIES_PER_BRAND
            + (target * SERIES_PER_BRAND).astype(np.int64),
            self.series_per_department - 1,
        )
        rank = np.where(
            strays < STRAY_SERIES / 2,
            same_brand,
            np.where(strays < STRAY_SERIES, self._zipf(target), rank),
        )
        items = (rank * len(DEPARTMENTS) + department) * PRODUCTS_PER_SERIES + product
        anywhere = (target * self.n_items).astype(np.int64)
        return np.where(strays > 1 - STRAY_ANYWHERE, anywhere, items) % self.n_items

    def _click_times(
        self, user: Int64Array, turn: Int64Array, opens: BoolArray, first: Int64Array
    ) -> Int64Array:
        """Unix seconds, strictly later click by click: minutes inside a session, days between
        sessions, a first day of the user's own.

        Args:
            user: number of the user, a value a click.
            turn: position of the click among the user's.
            opens: whether the click opens a session.
            first: index of the user's first click.
        """
        chance = self._random(_Purpose.GAP, user, turn)
        between = 3600 + -np.log1p(-chance) * 6 * DAY
        gap = np.where(opens, between, 20 + chance * 280).astype(np.int64)
        elapsed = np.cumsum(gap)
        start = (self._random(_Purpose.FIRST_CLICK, user) * 250 * DAY).astype(np.int64)
        return FIRST_SECOND + start + elapsed - elapsed[first]

    def _zipf(self, chance: Float64Array) -> Int64Array:
        """Popularity ranks of series, by inversion of uniform numbers."""
        shares = _cumulative_shares(self.series_per_department)
        return np.searchsorted(shares, chance, side="right").astype(np.int64)

    def _random(
        self, purpose: _Purpose, first: Int64Array, second: Int64Array | int = 0
    ) -> Float64Array:
        return uniform(self.seed, purpose, first, second)


def _first_of_each(keys: Int64Array) -> BoolArray:
    first = np.zeros(len(keys), dtype=np.bool_)
    first[np.unique(keys, return_index=True)[1]] = True
    return first


@lru_cache(maxsize=4)
def _cumulative_shares(n_series: int) -> Float64Array:
    """Cumulative probabilities of a department's series, P(rank r) ~ (r + 1)^-exponent; the last
    one, 1, is left out.
    """
    weights = np.arange(1, n_series + 1, dtype=np.float64) ** -SERIES_EXPONENT
    cumulative: Float64Array = np.cumsum(weights)
    shares: Float64Array = cumulative[:-1] / cumulative[-1]
    return shares


def _ids(prefix: str, numbers: Int64Array, below: int) -> pa.Array:
    digits = pc.utf8_lpad(
        pa.array(numbers).cast(pa.string()), width=len(str(below - 1)), padding="0"
    )
    return pc.binary_join_element_wise(pa.scalar(prefix), digits, "")


def _series(department: int, rank: int) -> str:
    # 389 is prime to the number of word pairs, so a department repeats no pair before it has used
    # all.
    pairs = len(SERIES_FIRST) * len(SERIES_SECOND)
    lap, index = divmod(rank, pairs)
    first, second = divmod((index * 389 + department * 53) % pairs, len(SERIES_SECOND))
    return f"{SERIES_FIRST[first]} {SERIES_SECOND[second]}" + (f" {lap + 1}" if lap else "")


def _brand(department: int, rank: int) -> str:
    first, second = department % len(BRAND_FIRST), rank // SERIES_PER_BRAND % len(BRAND_SECOND)
    return BRAND_FIRST[first] + BRAND_SECOND[second]
