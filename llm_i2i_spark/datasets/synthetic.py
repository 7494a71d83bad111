"""A synthetic shop: a catalogue whose titles tell what goes together, and a click log with a long
tail that cannot.

Items come in series of six products, a routine such as shampoo, conditioner, hair mask. Users have
two tastes (departments), a favourite series in each, and sessions in which they walk along a series
from product to product, now and then straying to another series (often of the same brand) or
anywhere. Series are chosen by Zipf's law, so many have too few clicks for co-purchase statistics,
while their titles name the series and the product just as those of the popular ones do.

Every number is drawn by hashing (seed, user or item, purpose, counter): a user's clicks are a pure
function of the user's number, the seed and the catalogue's size. So any slice can be made anywhere,
and 10^8 rows in Spark equal those made locally.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import gcd

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llm_i2i_spark.datasets.vocabulary import (
    BRAND_FIRST,
    BRAND_SECOND,
    DEPARTMENTS,
    SERIES_FIRST,
    SERIES_SECOND,
    STEPS,
)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Counters = npt.NDArray[np.uint64]

MIN_CLICKS, MAX_CLICKS = 5, 40
MEAN_FURTHER_CLICKS = 4.5
NEW_SESSION = 0.36
FIRST_TASTE = 0.65
LOYALTY = 0.5
STRAY_SERIES = 0.2
STRAY_ANYWHERE = 0.1
SERIES_EXPONENT = 0.9
STEP_WEIGHTS = (0.34, 0.24, 0.17, 0.12, 0.08, 0.05)
SERIES_A_BRAND = 3
UNBRANDED = 0.12
FIRST_SECOND = 1_704_067_200  # 2024-01-01 in unix seconds
DAY = 86_400
CLICK_SCHEMA = pa.schema(
    [("user_id", pa.string()), ("item_id", pa.string()), ("ts", pa.timestamp("us", tz="UTC"))]
)
ITEM_SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("title", pa.string()),
        ("brand", pa.string()),
        ("category", pa.string()),
    ]
)


@dataclass(frozen=True)
class Shop:
    """A world: how many items it sells and the seed of every draw.

    Item number n is product n mod 6 of series n // 6; series s belongs to department s mod D and
    has rank s // D in it.
    """

    items: int
    seed: int

    @property
    def ranks(self) -> int:
        """Complete series a department."""
        return max(self.items // (STEPS * len(DEPARTMENTS)), 1)


def shop_clicks(shop: Shop, users: Ints) -> pa.RecordBatch:
    """The clicks of some users, by user in the order given, then by time; a user never clicks an
    item twice.

    Args:
        shop: the world.
        users: user numbers, from 0.

    Returns:
        `CLICK_SCHEMA`: at least 5 and at most 40 rows a user.
    """
    wanted = np.minimum(
        MIN_CLICKS + _geometric(_draw(shop, 0, users), MEAN_FURTHER_CLICKS),
        min(MAX_CLICKS, shop.items),
    )
    # More clicks than wanted are drawn, since repeats go; the last five are distinct whatever the
    # walk does.
    walked = wanted + wanted // 2 + 3
    drawn = walked + MIN_CLICKS
    first = np.cumsum(drawn) - drawn
    owner = np.repeat(np.arange(len(users)), drawn)
    turn = np.arange(len(owner)) - first[owner]
    who = users[owner]
    opens = (turn == 0) | (_draw(shop, 1, who, turn) < NEW_SESSION)
    items = _walk(shop, who, turn, opens)
    last_five = turn >= walked[owner]
    items[last_five] = ((_draw(shop, 2, who) * shop.items).astype(np.int64) + turn)[
        last_five
    ] % shop.items
    seconds = _times(shop, who, turn, opens, first[owner])
    kept = _first_of_each(owner * shop.items + items)
    place: Ints = np.cumsum(kept) - kept
    kept &= place - place[first[owner]] < wanted[owner]
    micros = pa.array(seconds[kept] * 1_000_000).cast(CLICK_SCHEMA.field("ts").type)
    return pa.RecordBatch.from_arrays(
        [_ids("u", who[kept], 10**8), item_ids(shop, items[kept]), micros], schema=CLICK_SCHEMA
    )


def shop_items(shop: Shop, numbers: Ints) -> pa.RecordBatch:
    """The catalogue rows of some item numbers, in the order given: `ITEM_SCHEMA`."""
    series, step = np.divmod(numbers, STEPS)
    rank, department = np.divmod(series, len(DEPARTMENTS))
    flavour = (_draw(shop, 20, numbers) * 4).astype(np.int64)
    size = (_draw(shop, 21, numbers) * 4).astype(np.int64)
    unbranded = _draw(shop, 22, numbers) < UNBRANDED
    titles, brands, categories = [], [], []
    for d, r, s, adjective, volume in zip(
        *(a.tolist() for a in (department, rank, step, flavour, size)), strict=True
    ):
        words = DEPARTMENTS[d]
        brands.append(_brand(d, r))
        titles.append(
            f"{brands[-1]} {_series(d, r)} {words.adjectives[adjective]} {words.products[s]},"
            f" {words.sizes[volume]}"
        )
        categories.append(f"{words.path} > {words.products[s]}")
    columns = [
        item_ids(shop, numbers),
        pa.array(titles),
        pa.array(brands, pa.string(), mask=unbranded),
        pa.array(categories),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=ITEM_SCHEMA)


def item_ids(shop: Shop, numbers: Ints) -> pa.Array:
    """Ids of item numbers, shuffled so that neighbouring ids say nothing of neighbouring items."""
    step = next(
        step
        for step in range(int(shop.items * 0.618) | 1, 2 * shop.items + 2)
        if gcd(step, shop.items) == 1
    )
    return _ids("i", (numbers * step + shop.seed) % shop.items, shop.items)


def _walk(shop: Shop, who: Ints, turn: Ints, opens: npt.NDArray[np.bool_]) -> Ints:
    """The item number of each click: a walk along a series in each session, with clicks that stray."""
    session = np.cumsum(opens) - 1
    user, start = who[opens], turn[opens]
    taste = (_draw(shop, 3, user, start) >= FIRST_TASTE).astype(np.int64)
    # A taste's number is its key, so that both sessions of a taste meet the same department and
    # favourite.
    department = (_draw(shop, 4, user, taste) ** 1.5 * len(DEPARTMENTS)).astype(np.int64)
    loyal = _draw(shop, 5, user, start) < LOYALTY
    rank = _zipf(shop, np.where(loyal, _draw(shop, 6, user, taste), _draw(shop, 7, user, start)))
    begin = np.searchsorted(np.cumsum(STEP_WEIGHTS[:-1]), _draw(shop, 8, user, start), side="right")
    offset = turn - start[session]
    step = (begin[session] + offset) % STEPS
    department, rank = department[session], rank[session]
    strays = _draw(shop, 9, who, turn)
    other = _draw(shop, 10, who, turn)
    same_brand = np.minimum(
        rank // SERIES_A_BRAND * SERIES_A_BRAND + (other * SERIES_A_BRAND).astype(np.int64),
        shop.ranks - 1,
    )
    rank = np.where(
        strays < STRAY_SERIES / 2,
        same_brand,
        np.where(strays < STRAY_SERIES, _zipf(shop, other), rank),
    )
    items = (rank * len(DEPARTMENTS) + department) * STEPS + step
    items = np.where(strays > 1 - STRAY_ANYWHERE, (other * shop.items).astype(np.int64), items)
    return items % shop.items


def _times(shop: Shop, who: Ints, turn: Ints, opens: npt.NDArray[np.bool_], first: Ints) -> Ints:
    """Unix seconds, strictly later click by click: minutes inside a session, days between sessions,
    a start of one's own.
    """
    chance = _draw(shop, 11, who, turn)
    gap = np.where(opens, 3600 + -np.log1p(-chance) * 6 * DAY, 20 + chance * 280).astype(np.int64)
    since = np.cumsum(gap)
    start = (_draw(shop, 12, who) * 250 * DAY).astype(np.int64)
    return FIRST_SECOND + start + since - since[first]


def _first_of_each(keys: Ints) -> npt.NDArray[np.bool_]:
    first = np.zeros(len(keys), dtype=np.bool_)
    first[np.unique(keys, return_index=True)[1]] = True
    return first


def _geometric(chance: Floats, mean: float) -> Ints:
    """Numbers from 0 with P(n) ~ q^n of the given mean, by inversion."""
    numbers: Ints = np.floor(np.log1p(-chance) / np.log(mean / (1 + mean))).astype(np.int64)
    return numbers


def _zipf(shop: Shop, chance: Floats) -> Ints:
    return np.searchsorted(_rank_reach(shop.ranks), chance, side="right").astype(np.int64)


@lru_cache(maxsize=4)
def _rank_reach(ranks: int) -> Floats:
    """Cumulative probabilities of a department's series: P(rank r) ~ (r + 1)^-exponent; the last is
    left out (it is 1).
    """
    weights = np.arange(1, ranks + 1, dtype=np.float64) ** -SERIES_EXPONENT
    reach: Floats = np.cumsum(weights)
    shares: Floats = reach[:-1] / reach[-1]
    return shares


def _draw(shop: Shop, purpose: int, first: Ints, second: Ints | int = 0) -> Floats:
    """Uniform numbers in [0, 1), one for each (first, second): SplitMix64's mixing over the
    counters (Steele et al., 2014).
    """
    golden = np.uint64(0x9E3779B97F4A7C15)
    stream = np.uint64((shop.seed * 64 + purpose + 1) % 2**64)
    state = _mix(first.astype(np.uint64) * golden + _mix(np.full(1, stream) * golden))
    state = _mix(state + np.asarray(second).astype(np.uint64) * golden)
    uniform: Floats = (state >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return uniform


def _mix(counters: Counters) -> Counters:
    state: Counters = (counters ^ (counters >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return state


def _ids(prefix: str, numbers: Ints, below: int) -> pa.Array:
    digits = pc.utf8_lpad(
        pa.array(numbers).cast(pa.string()), width=len(str(below - 1)), padding="0"
    )
    return pc.binary_join_element_wise(pa.scalar(prefix), digits, "")


def _series(department: int, rank: int) -> str:
    # 389 is prime to the number of word pairs, so a department repeats no pair before it has used
    # all.
    pairs = len(SERIES_FIRST) * len(SERIES_SECOND)
    lap, place = divmod(rank, pairs)
    first, second = divmod((place * 389 + department * 53) % pairs, len(SERIES_SECOND))
    return f"{SERIES_FIRST[first]} {SERIES_SECOND[second]}" + (f" {lap + 1}" if lap else "")


def _brand(department: int, rank: int) -> str:
    first, second = department % len(BRAND_FIRST), rank // SERIES_A_BRAND % len(BRAND_SECOND)
    return BRAND_FIRST[first] + BRAND_SECOND[second]
