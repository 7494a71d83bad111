"""The click logs that are measured: Beauty, and synthetic ones whose items are as unevenly popular
as real ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from llm_i2i_spark.kernels.arrays import read_only
from llm_i2i_spark.kernels.csr import ItemBlock, UserCsr
from llm_i2i_spark.kernels.edge_format import ITEM_SHIFT, NO_CAP
from llm_i2i_spark.kernels.grouping import Interactions, group_by_user
from tests.benchmarks.report import LeftOut, log_message

SHARED = Path(__file__).resolve().parents[4] / "shared"
DRAWN_A_USER = 14.5
"""Clicks drawn for a mean user; a few fall on an item that the user has."""
FLATTENING, EXPONENT = 12, 0.9
USERS_AT_A_TIME = 500_000
ROW_GROUP = 1 << 20

Numbers = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Clicks:
    """A log without repeated rows: users and items by number."""

    users: Numbers
    items: Numbers

    def __len__(self) -> int:
        return len(self.users)


def beauty() -> Clicks:
    """The public log `beauty_interactions.parquet` beside the repository.

    Raises:
        LeftOut: it is not there.
    """
    path = SHARED / "data" / "beauty_interactions.parquet"
    if not path.is_file():
        raise LeftOut(
            "the measuring data (../shared/data/beauty_interactions.parquet) is not on this machine"
        )
    table = pq.read_table(path, columns=["user_id", "item_id"])
    users, items = (table[name].cast(pa.int32()).to_numpy() for name in ("user_id", "item_id"))
    return Clicks(users, items)


def synthetic(users: int, items: int, seed: int = 1) -> Clicks:
    """A log in random order: list lengths are geometric, the item of rank r has a share that goes
    by (r + 12)^-0.9.

    Args:
        users: how many.
        items: how many; which number has which rank is drawn.
        seed: of all draws.
    """
    log_message(f"  drawing a log of {users:,} users and {items:,} items")
    draw = np.random.default_rng(seed)
    shares = (np.arange(1, items + 1) + FLATTENING) ** -EXPONENT
    ranks, item_of = np.cumsum(shares / shares.sum()), draw.permutation(items)
    parts = []
    for first in range(0, users, USERS_AT_A_TIME):
        lengths = draw.geometric(1 / DRAWN_A_USER, min(USERS_AT_A_TIME, users - first))
        user = np.repeat(np.arange(first, first + len(lengths)), lengths)
        item = item_of[np.minimum(np.searchsorted(ranks, draw.random(len(user))), items - 1)]
        parts.append(np.unique(user * items + item))
    rows = np.concatenate(parts)
    parts.clear()
    draw.shuffle(rows)
    return Clicks((rows // items).astype(np.int32), (rows % items).astype(np.int32))


def with_hot_item(clicks: Clicks, share: float, seed: int = 2) -> Clicks:
    """The same log and one more item, clicked by so many random users that it has `share` of all
    clicks.
    """
    draw = np.random.default_rng(seed)
    n_users = int(clicks.users.max()) + 1
    added = draw.choice(
        n_users, min(round(len(clicks) * share / (1 - share)), n_users), replace=False
    ).astype(np.int32)
    users = np.concatenate([clicks.users, added])
    items = np.concatenate([clicks.items, np.full(len(added), clicks.items.max() + 1, np.int32)])
    order = draw.permutation(len(users))
    return Clicks(users[order], items[order])


def write_parquet(clicks: Clicks, path: Path) -> Path:
    """Write `user_id, item_id`, both strings, as logs come."""
    schema = pa.schema([("user_id", pa.string()), ("item_id", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for first in range(0, len(clicks), ROW_GROUP):
            part = slice(first, first + ROW_GROUP)
            columns = [
                pa.array(numbers[part]).cast(pa.string())
                for numbers in (clicks.users, clicks.items)
            ]
            writer.write_table(pa.table(columns, schema=schema))
    return path


def write_csv(clicks: Clicks, path: Path) -> Path:
    """Write `user,item`, as the peers read it."""
    rows = np.column_stack([clicks.users, clicks.items])
    np.savetxt(path, rows, fmt="%d", delimiter=",", header="user,item", comments="")
    return path


def click_matrix(clicks: Clicks) -> UserCsr:
    """The users' rows as the kernel takes them, without Spark. Items have indices by id; keys are
    drawn.
    """
    _, users = np.unique(clicks.users, return_inverse=True)
    _, items = np.unique(clicks.items, return_inverse=True)
    n_users, n_items = int(users.max()) + 1, int(items.max()) + 1
    keys = _hashes(n_users, 3)
    rows = Interactions(
        users.astype(np.uint32),
        (items << ITEM_SHIFT).astype(np.uint32),
        np.empty(0),
        np.empty(0, np.int32),
    )
    return group_by_user(rows, keys, item_hashes(n_items), NO_CAP)


def one_block(n_items: int, cap: int = NO_CAP) -> ItemBlock:
    """All items as one block.

    Args:
        n_items: how many.
        cap: users that an item's row sums over.
    """
    return ItemBlock(read_only(np.zeros(n_items, np.uint16)), 0, item_hashes(n_items), cap)


def item_hashes(items: int) -> Numbers:
    """A hash of each item, for hash sampling."""
    return _hashes(items, 4)


def _hashes(n: int, seed: int) -> Numbers:
    lowest, highest = np.iinfo(np.int32).min, np.iinfo(np.int32).max
    drawn: Numbers = read_only(np.random.default_rng(seed).integers(lowest, highest, n, np.int32))
    return drawn
