"""A log of groups: its users click items of their own group, most of the time."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa

from llm_i2i_spark.backbones.embedding.item_embeddings import ItemEmbeddings

GROUPS, ITEMS_A_GROUP, USERS_A_GROUP, CLICKS = 8, 10, 30, 5


def group_of(item: str) -> int:
    return int(item[1:]) // ITEMS_A_GROUP


def made_up_log(seed: int = 0) -> pa.Table:
    """`user_id, item_id, weight, position`, every weight 1, no click outside the user's group."""
    random = np.random.default_rng(seed)
    rows = [
        (f"u{group * USERS_A_GROUP + user:03d}", f"i{group * ITEMS_A_GROUP + item:02d}")
        for group in range(GROUPS)
        for user in range(USERS_A_GROUP)
        for item in random.choice(ITEMS_A_GROUP, CLICKS, replace=False)
    ]
    return in_order(as_table(rows, [1.0] * len(rows)))


def bridges(weight: float, number: int = 1200, seed: int = 1) -> pa.Table:
    """Clicks of new users: two items of a group and two of the one beside it, 0 and 1, 2 and 3."""
    random = np.random.default_rng(seed)
    rows = [
        (f"v{n:04d}", f"i{(pair + side) * ITEMS_A_GROUP + item:02d}")
        for n in range(number)
        for pair in [2 * random.integers(0, GROUPS // 2)]
        for side in range(2)
        for item in random.choice(ITEMS_A_GROUP, 2, replace=False)
    ]
    return in_order(as_table(rows, [weight] * len(rows)))


def as_table(rows: list[tuple[str, str]], weights: list[float]) -> pa.Table:
    users, items = zip(*rows, strict=True)
    return pa.table({"user_id": list(users), "item_id": list(items), "weight": weights})


def in_order(rows: pa.Table) -> pa.Table:
    """With `position`: a user's rows were clicked in the order in which they stand."""
    seen: Counter[str] = Counter()
    positions = []
    for user in rows["user_id"].to_pylist():
        positions.append(seen[user])
        seen[user] += 1
    return rows.append_column("position", pa.array(positions, pa.int32()))


def purity(learned: ItemEmbeddings) -> float:
    """Share of the five nearest items that are of the item's own group."""
    unit = learned.vectors / np.linalg.norm(learned.vectors, axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -1.0)
    groups = np.array([group_of(item) for item in learned.item_ids.to_pylist()])
    return float((groups[np.argsort(-cosine, axis=1)[:, :5]] == groups[:, None]).mean())
