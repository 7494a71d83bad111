"""A click log in Python's own terms, for oracles: who has what, after caps, without any engine."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession

from llm_i2i_spark.backbones.base import Backbone

COLUMNS = (
    "user_id string, item_id string, weight double, source string, position int, confidence double"
)
# Ids that differ where a number, a trimmed or a normalised text would not.
ITEMS = ("7", "007", "70", "é", "e\u0301", "a b", "ab", " a", "A", "a", *map(str, range(100, 114)))


class Interaction(NamedTuple):
    """A row of a log."""

    user_id: str
    item_id: str
    weight: float
    source: str
    position: int | None
    confidence: float | None = None


class Edge(NamedTuple):
    """What a user has of an item."""

    weight: float
    real: bool
    position: int | None
    confidence: float | None


@dataclass(frozen=True)
class Log:
    """What an oracle is given.

    Attributes:
        weights: by user and item, of the whole log.
        rows: by user, their items after the cap of items a user.
        counted: by item, the users that its row sums over.
        uncapped: by user, all of their items.
        clicks: by item, how many real interactions it has in the whole log.
    """

    weights: dict[tuple[str, str], float]
    rows: dict[str, dict[str, Edge]]
    counted: dict[str, set[str]]
    uncapped: dict[str, dict[str, Edge]]
    clicks: Counter[str]


Similarities = dict[tuple[str, str], tuple[float, int | None, float | None]]
"""By item and neighbor: similarity, support, synthetic share."""


def random_log(seed: int, users=40) -> list[Interaction]:
    """Real clicks in an order, some of them with weights, and synthetic ones with weights, most of
    them with a confidence.
    """
    draw, said = random.Random(seed), random.Random(-seed)
    rows = []
    for user in range(users):
        for position, item in enumerate(draw.sample(ITEMS, draw.randint(1, 8))):
            if draw.random() < 0.7:
                weight = draw.choice([1.0, 1.0, draw.uniform(0.05, 1)])
                rows.append(Interaction(f"u{user}", item, weight, "real", position))
            else:
                weight = draw.uniform(0.05, 1)
                confidence = said.choice([None, 10 ** said.uniform(-4, 0), said.random()])
                rows.append(Interaction(f"u{user}", item, weight, "synthetic", None, confidence))
    return rows


def frame_of(spark: SparkSession, rows: Iterable[Interaction]) -> DataFrame:
    return spark.createDataFrame(list(rows), COLUMNS)


def item_order(item: str) -> tuple[int, str]:
    """By which equal similarities are ordered."""
    return len(item), item


def plain_log(frame: DataFrame, backbone: Backbone, seed=42) -> Log:
    """The log as a backbone must see it, under its caps; a (user, item) stands in it once.

    Spark gives the hashes of the ids; the sample is drawn here.
    """
    max_items, max_users = (
        getattr(backbone, cap, None) for cap in ("max_items_per_user", "max_users_per_item")
    )
    hashed = frame.selectExpr("*", "hash(user_id) AS key", f"hash(item_id, {seed}) AS item_hash")
    weights, rows, hashes, clicks = {}, {}, {}, Counter()
    for row in hashed.collect():
        user, item = row["user_id"], row["item_id"]
        weights[user, item] = row["weight"]
        clicks[item] += row["source"] == "real"
        real, position, said = row["source"] == "real", row["position"], row["confidence"]
        edge = Edge(row["weight"], real, position, said)
        rows.setdefault(user, {})[item] = edge
        hashes[user, item] = sampling_hash(row["key"], row["item_hash"])
    uncapped = dict(rows)
    for user, own in rows.items():
        kept = sorted(own, key=lambda item: hashes[user, item])[:max_items]
        rows[user] = {item: own[item] for item in kept}
    rows = {user: own for user, own in rows.items() if len(own) > 1}
    counted: dict[str, set[str]] = {}
    for item in {item for own in rows.values() for item in own}:
        users = [user for user, own in rows.items() if item in own]
        lowest = sorted(users, key=lambda user: hashes[user, item])[:max_users]
        counted[item] = set(lowest)
    return Log(weights, rows, counted, uncapped, clicks)


def sampling_hash(user_key: int, item_hash: int) -> int:
    """SplitMix64's finalizer, in Python's integers."""
    mask = 2**64 - 1
    x = (user_key << 32 ^ item_hash & 0xFFFFFFFF) & mask
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & mask
    x = (x ^ x >> 27) * 0x94D049BB133111EB & mask
    return x ^ x >> 31
