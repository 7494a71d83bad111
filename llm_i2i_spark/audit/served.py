"""The edge as it is served: its place in the index, its similarity, the titles of items; and
sentences where it is not there.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from llm_i2i_spark.audit.edge import EdgeKey, Served
from llm_i2i_spark.audit.lineage import Origin, collect
from llm_i2i_spark.base.errors import StageError, UserError
from llm_i2i_spark.lake.tables import Lake

ALTERNATIVES = 5
"""Neighbours to name where the one asked for is not in the list."""


def find_served(lake: Lake, index: Origin, catalogue: int | None, edge: EdgeKey) -> Served:
    """The edge's place in the index.

    Args:
        lake: the tables.
        index: which version of `item_index`.
        catalogue: which version of `items` titles come from; None without one.
        edge: what is asked for.

    Raises:
        UserError: the index holds no such variant, item or neighbour; the sentence names what it
            does hold.
    """
    rows = collect(
        lake,
        _of_item(lake.read("item_index", index.version), edge).select("neighbors"),
        {"item_index": index.version},
    )
    if not rows:
        raise UserError(_no_list(lake, index, catalogue, edge))
    listed = sorted(rows[0]["neighbors"], key=lambda entry: int(entry["rank"]))
    for entry in listed:
        if entry["item_id"] == edge.neighbor_id:
            return Served(score=entry["score"], rank=entry["rank"], neighbors=len(listed))
    best = [entry["item_id"] for entry in listed[:ALTERNATIVES]]
    titles = find_titles(lake, catalogue, best)
    raise UserError(
        f"{edge.neighbor_id} is not among the {len(listed)} neighbours of {edge.item_id} in"
        f" item_index v{index.version} ({edge.variant}); the first of them are"
        f" {', '.join(f'{one} ({titles[one]})' if one in titles else one for one in best)}."
    )


def find_similarity(lake: Lake, similarity: Origin, edge: EdgeKey) -> Row:
    """The edge's row of `item_similarity`.

    Raises:
        StageError: there is none, though the index was made from it.
    """
    frame = _of_item(lake.read("item_similarity", similarity.version), edge).where(
        F.col("neighbor_id") == edge.neighbor_id
    )
    rows = collect(lake, frame, {"item_similarity": similarity.version})
    if not rows:
        raise StageError(
            f"item_index names {edge.neighbor_id} as a neighbour of {edge.item_id}, and"
            f" item_similarity v{similarity.version}, which it was made from, does not; run stage"
            " index again."
        )
    return rows[0]


def find_titles(lake: Lake, catalogue: int | None, items: Sequence[str]) -> dict[str, str]:
    """The titles of items, without those that have none."""
    if catalogue is None:
        return {}
    frame = (
        lake.read("items", catalogue)
        .where(F.col("item_id").isin(list(items)))
        .select("item_id", "title")
    )
    return {
        row["item_id"]: row["title"]
        for row in collect(lake, frame, {"items": catalogue})
        if row["title"]
    }


def _of_item(frame: DataFrame, edge: EdgeKey) -> DataFrame:
    of_kind = (F.col("variant") == edge.variant) & (F.col("backbone") == edge.backbone)
    return frame.where((F.col("item_id") == edge.item_id) & of_kind)


def _no_list(lake: Lake, index: Origin, catalogue: int | None, edge: EdgeKey) -> str:
    """Why the index holds no list for the item: the variant, the item's evidence, or the id itself."""
    table = f"item_index v{index.version}"
    kinds = lake.read("item_index", index.version).select("variant", "backbone").distinct()
    held = {
        (row["variant"], row["backbone"])
        for row in collect(lake, kinds, {"item_index": index.version})
    }
    if (edge.variant, edge.backbone) not in held:
        named = (
            ", ".join(f"{variant} ({backbone})" for variant, backbone in sorted(held)) or "nothing"
        )
        return (
            f"{table} holds no variant {edge.variant} ({edge.backbone}), it holds {named}; name one"
            f" of these, or run: llm-i2i run --config FILE --variants {edge.variant}"
        )
    if catalogue is not None:
        known = (
            lake.read("items", catalogue).where(F.col("item_id") == edge.item_id).select("item_id")
        )
        if collect(lake, known, {"items": catalogue}):
            return (
                f"Item {edge.item_id} is in the catalogue but has no neighbour in {table}"
                f" ({edge.variant}); trace an item that has."
            )
    return (
        f"There is no item {edge.item_id} in {table} ({edge.variant}) nor in the catalogue; check"
        " the id, byte for byte."
    )
