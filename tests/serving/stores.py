"""Every kind of store that an index is published to, with a reader that uses none of the exporter:
what the conformance tests run on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_i2i_spark.serving.base import Neighbor
from llm_i2i_spark.serving.json_lines import json_neighbors
from llm_i2i_spark.serving.parquet import parquet_neighbors
from llm_i2i_spark.serving.redis import redis_neighbors
from llm_i2i_spark.serving.sql import sql_neighbors


@dataclass(frozen=True)
class Store:
    """A store under test.

    Attributes:
        target: its URL or path.
        read: the live list of an item.
        generations: ids of all generations of which anything is left, besides the live one where
            that has no name of its own.
        absent: a target of the same kind that nothing can be published to.
        has_nul: whether ids may hold the character NUL.
    """

    target: str
    read: Callable[[str], list[Neighbor]]
    generations: Callable[[], set[str]]
    absent: str
    has_nul: bool = True


def parquet_store(folder: Path) -> Store:
    path = folder / "out" / "index.parquet"
    return Store(
        str(path),
        lambda item: parquet_neighbors(path, item),
        _kept_by(path),
        "/proc/x/index.parquet",
    )


def json_store(folder: Path) -> Store:
    path = folder / "out" / "index.jsonl"
    return Store(
        str(path), lambda item: json_neighbors(path, item), _kept_by(path), "/proc/x/index.jsonl"
    )


def redis_store(port: int, prefix: str) -> Store:
    import redis

    client = redis.Redis(port=port)

    def generations() -> set[str]:
        start = f"{prefix}:"
        names = [key.decode() for key in client.scan_iter() if key.startswith(start.encode())]
        keys = [name.removeprefix(start) for name in names]
        assert client.exists(f"{prefix}:current")
        named = {key.decode() for key in client.hkeys(f"{prefix}:generations")}
        return named | {key.split(":")[0] for key in keys} - {"current", "generations"}

    return Store(
        f"redis://127.0.0.1:{port}/0?prefix={prefix}",
        lambda item: redis_neighbors(client, prefix, item),
        generations,
        "redis://127.0.0.1:1/0",
    )


def sqlite_store(folder: Path) -> Store:
    path = folder / "shop.db"

    def query(work: Callable[[Any], Any]) -> Any:
        connection = sqlite3.connect(path, timeout=60)
        try:
            return work(connection)
        finally:
            connection.close()

    return Store(
        f"jdbc:sqlite:{path}?table=similar_items",
        lambda item: query(lambda connection: sql_neighbors(connection, item, "similar_items")),
        lambda: query(lambda connection: _announced(connection.execute, "similar_items")),
        "jdbc:sqlite:/proc/x/shop.db",
    )


def postgresql_store(port: int, table: str) -> Store:
    import psycopg

    connection = psycopg.connect(f"host=127.0.0.1 port={port} user=postgres", autocommit=True)
    return Store(
        f"jdbc:postgresql://127.0.0.1:{port}/postgres?user=postgres&table={table}",
        lambda item: sql_neighbors(connection, item, table, "%s"),
        lambda: _announced(connection.execute, table),
        "jdbc:postgresql://127.0.0.1:1/postgres?user=postgres",
        has_nul=False,
    )


def _announced(execute: Callable[[str], Any], table: str) -> set[str]:
    found: set[str] = set()
    for name in ("rows", "generations"):
        found |= {row[0] for row in execute(f"SELECT DISTINCT generation FROM {table}_{name}")}
    return found


def _kept_by(path: Path) -> Callable[[], set[str]]:
    folder = path.parent / "_serving" / path.name
    return lambda: {each.name for each in folder.iterdir()} - {"generations.json"}
