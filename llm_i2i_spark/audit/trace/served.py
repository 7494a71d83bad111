"""The edge as it is served: its entry in the index, the titles of items, and sentences where the
index does not hold it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import functions as F

from llm_i2i_spark.audit.lineage import Lineage, Origin
from llm_i2i_spark.audit.trace.edge import EdgeKey, IndexEntry
from llm_i2i_spark.base.errors import ConfigError, TableNotFoundError, UserError
from llm_i2i_spark.base.variants import find_variant

ALTERNATIVES = 5
"""Neighbours to name where the one asked for is not in the list."""


def find_entry(
    lineage: Lineage, index: Origin, catalogue: Origin | None, edge: EdgeKey
) -> IndexEntry:
    """The edge's entry in the index.

    Args:
        lineage: of the lake.
        index: the list's index, at a version of `item_index`.
        catalogue: the version of `items` that titles come from; None without one.
        edge: what is asked for.

    Raises:
        TableNotFoundError: the index holds no such variant.
        ConfigError: no such item or neighbour, or the variant is unknown.
    """
    rows = lineage.read(index, "item_index", F.col("item_id") == edge.item_id)
    if not rows:
        raise _no_list(lineage, index, catalogue, edge)
    neighbors = sorted(rows[0]["neighbors"], key=lambda entry: int(entry["rank"]))
    for entry in neighbors:
        if entry["item_id"] == edge.neighbor_id:
            return IndexEntry(entry["score"], entry["rank"], len(neighbors))
    best = [entry["item_id"] for entry in neighbors[:ALTERNATIVES]]
    titles = find_titles(lineage, catalogue, best)
    raise ConfigError(
        f"{edge.neighbor_id} is not among the {len(neighbors)} neighbours of {edge.item_id} in"
        f" item_index v{index.version} ({edge.variant}); the first of them are"
        f" {', '.join(f'{one} ({titles[one]})' if one in titles else one for one in best)}."
    )


def find_titles(lineage: Lineage, catalogue: Origin | None, items: Sequence[str]) -> dict[str, str]:
    """The titles of items, without those that have none.

    Args:
        lineage: of the lake.
        catalogue: a version of `items`; None without one.
        items: their ids.
    """
    if catalogue is None:
        return {}
    rows = lineage.read(catalogue, "items", F.col("item_id").isin(list(items)))
    return {row["item_id"]: row["title"] for row in rows if row["title"]}


def _no_list(lineage: Lineage, index: Origin, catalogue: Origin | None, edge: EdgeKey) -> UserError:
    """Why the index holds no list for the item: the variant, the item's evidence, or the id itself.

    Raises:
        ConfigError: the variant is unknown.
    """
    table = f"item_index v{index.version}"
    held = {(scope["variant"], scope["backbone"]) for scope in lineage.scopes(index)}
    if (edge.variant, edge.backbone) not in held:
        variant = find_variant(edge.variant).name
        named = ", ".join(f"{name} ({backbone})" for name, backbone in sorted(held)) or "nothing"
        return TableNotFoundError(
            f"{table} holds no variant {variant} ({edge.backbone}), it holds {named}; name one"
            f" of these, or run: llm-i2i run --config FILE --variants {variant}"
        )
    if catalogue is not None and lineage.read(catalogue, "items", F.col("item_id") == edge.item_id):
        return ConfigError(
            f"Item {edge.item_id} is in the catalogue but has no neighbour in {table}"
            f" ({edge.variant}); trace an item that has."
        )
    return ConfigError(
        f"There is no item {edge.item_id} in {table} ({edge.variant}) nor in the catalogue; check"
        " the id, byte for byte."
    )
