"""Click logs of any size with the tails of real ones: few users have very many clicks, few items
very many users.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

USERS_PER_CLICK, ITEMS_PER_CLICK = 0.1, 0.01
SPREAD, LONGEST = 1.0, 1000
"""Clicks of a user: log-normal with a mean of ten, this deviation of the logarithm, and at most."""
DRAWN_A_USER = 10.6
"""Clicks drawn for a mean user; a few fall on an item that the user has."""
FLATTENING, EXPONENT = 12, 0.9
"""The item of rank r is clicked in proportion to (r + 12)^-0.9 ..."""
STAYS = 0.5
"""... but so many clicks stay in the group of the user's last such click."""
ITEMS_PER_GROUP, GROUPS_PER_BRAND = 60, 5
DIMS, NOISE = 192, 2.0
"""Text features: those of the group and some of the item's own."""
USERS_AT_A_TIME = 100_000
FIRST_SECOND = 1_704_067_200


@dataclass(frozen=True)
class Log:
    """Files of a log.

    Attributes:
        folder: with `clicks.parquet`, `items.parquet` and `item_features.parquet`.
        clicks: how many.
        items: how many there are in the catalogue.
    """

    folder: Path
    clicks: int
    items: int


def write_log(folder: Path, clicks: int, seed: int = 1) -> Log:
    """Write a log with its catalogue.

    Args:
        folder: is made.
        clicks: about so many, of a tenth as many users and a hundredth as many items.
        seed: of all draws.
    """
    folder.mkdir(parents=True)
    draw = np.random.default_rng(seed)
    users, items = round(clicks * USERS_PER_CLICK), round(clicks * ITEMS_PER_CLICK)
    shares = (np.arange(1, items + 1) + FLATTENING) ** -EXPONENT
    ranks, item_of_rank = np.cumsum(shares / shares.sum()), draw.permutation(items)
    written = 0
    schema = pa.schema(
        [
            ("user_id", pa.string()),
            ("item_id", pa.string()),
            ("position", pa.int32()),
            ("ts", pa.timestamp("us", tz="UTC")),
        ]
    )
    with pq.ParquetWriter(folder / "clicks.parquet", schema) as writer:
        for first in range(0, users, USERS_AT_A_TIME):
            number = min(USERS_AT_A_TIME, users - first)
            user, item, position = _draw_users(draw, number, ranks, item_of_rank)
            seconds = FIRST_SECOND + (user * 7919) % 31_536_000 + position * 3600
            columns = [
                pa.array(user + first).cast(pa.string()),
                pa.array(item).cast(pa.string()),
                pa.array(position.astype(np.int32)),
                pa.array(seconds * 1_000_000).cast(schema.field("ts").type),
            ]
            writer.write_table(pa.table(columns, schema=schema))
            written += len(user)
    _write_catalogue(folder, items, draw)
    return Log(folder, written, items)


def _draw_users(
    draw: np.random.Generator,
    users: int,
    ranks: NDArray[np.float64],
    item_of_rank: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """User, item and position of each click, by user and position; no user has an item twice."""
    items = len(ranks)
    mean = np.log(DRAWN_A_USER) - SPREAD**2 / 2
    lengths = np.clip(draw.lognormal(mean, SPREAD, users), 2, LONGEST).astype(np.int64)
    user = np.repeat(np.arange(users), lengths)
    turn = np.arange(len(user)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    item = item_of_rank[np.minimum(np.searchsorted(ranks, draw.random(len(user))), items - 1)]
    stays = (turn > 0) & (draw.random(len(user)) < STAYS)
    last = np.maximum.accumulate(np.where(stays, 0, np.arange(len(user))))
    group = item[last] // ITEMS_PER_GROUP
    inside = group * ITEMS_PER_GROUP + draw.integers(0, ITEMS_PER_GROUP, len(user))
    item = np.where(stays, np.minimum(inside, items - 1), item)
    _, kept = np.unique(user * items + item, return_index=True)
    kept.sort()
    user, item = user[kept], item[kept]
    starts = np.searchsorted(user, np.arange(users))
    return user, item, np.arange(len(user)) - starts[user]


def _write_catalogue(folder: Path, items: int, draw: np.random.Generator) -> None:
    number = np.arange(items)
    group = number // ITEMS_PER_GROUP
    ids = pa.array(number).cast(pa.string())
    names = {"text": group, "brand": group // GROUPS_PER_BRAND, "category": group % 20}
    words = {key: pa.array([f"{key} {n}" for n in value.tolist()]) for key, value in names.items()}
    pq.write_table(pa.table({"item_id": ids, **words}), folder / "items.parquet")
    centres = draw.normal(size=(group[-1] + 1, DIMS)).astype(np.float32)
    features = centres[group] + NOISE * draw.normal(size=(items, DIMS)).astype(np.float32)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(features.ravel()), DIMS)
    table = pa.table({"item_id": ids, "features": lists.cast(pa.list_(pa.float32()))})
    pq.write_table(table, folder / "item_features.parquet")
