"""From a user's rows forward to what was made from them, up to one index.

Every table is read at the version that the index was made from.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.audit.lineage import MOST_LOOKED_UP, Lineage, Origin
from llm_i2i_spark.audit.user_trace.result import (
    SyntheticRow,
    TouchedEntry,
    TrainedModel,
    UserRows,
    UserTrace,
)
from llm_i2i_spark.backbones import find_backbone
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import ConfigError, TableNotFoundError
from llm_i2i_spark.lake.tables import Lake

TRAINED_ON = {"sft_generator": "generator", "sft_discriminator": "discriminator"}
"""Role of the model that is trained on a table's examples."""


def trace_user(
    lake: Lake,
    user: str,
    variant: str,
    backbone: str,
    limit: int = 20,
    version: int | None = None,
) -> UserTrace:
    """Follow a user's rows forward to one index.

    Args:
        lake: the tables.
        user: its id, byte for byte.
        variant: what the index was made from.
        backbone: what it was made with.
        limit: entries of the index to list; the others are counted.
        version: of the table `item_index`; None for the latest.

    Raises:
        ConfigError: nothing upstream of the index holds the user.
        TableNotFoundError: there is no such index, or a version cannot be read any more.
    """
    lineage = Lineage(lake)
    index = lineage.find("item_index", {"variant": variant, "backbone": backbone}, version)
    if index is None or index.written is None:
        raise TableNotFoundError(
            f"There is no index of {variant} ({backbone}) yet; run stage index first."
        )
    upstream = lineage.upstream(index)[::-1]
    rows = _rows(lineage, index, upstream, user)
    if not rows:
        raise ConfigError(
            f"Nothing that item_index v{index.version} ({variant}, {backbone}) was made from holds"
            f" a user {user}; check the id, byte for byte."
        )
    fused = lineage.input_of(index, "fused")
    own = lineage.frame(fused, "fused", F.col("user_id") == user)
    total, entries = _entries(lineage, index, own.select("item_id").distinct(), limit)
    synthetic = lineage.collect(own.where("source = 'synthetic'"), fused, "fused")
    named = {one.item_id for one in entries} | {one.neighbor_id for one in entries}
    titles = _titles(lineage, upstream, [*named, *(row["item_id"] for row in synthetic)])
    return UserTrace(
        user_id=user,
        variant=variant,
        backbone=backbone,
        index_version=index.version,
        rows=rows,
        synthetic=tuple(
            SyntheticRow(
                row["item_id"], titles.get(row["item_id"]), row["weight"], row["confidence"]
            )
            for row in sorted(synthetic, key=lambda row: (-row["weight"], row["item_id"]))
        ),
        models=tuple(_models(lineage, upstream, rows)),
        votes=_votes(lineage, upstream, user),
        is_learned=find_backbone(backbone).is_trained,
        entries_total=total,
        entries=entries,
        titles={item: titles[item] for item in sorted(named) if item in titles},
    )


def _rows(
    lineage: Lineage, index: Origin, upstream: Sequence[Origin], user: str
) -> tuple[UserRows, ...]:
    """Rows of the user in each result that names users, counted in one query."""
    named = [one for one in upstream if "user_id" in TABLES[one.table].names]
    if not named:
        return ()
    counts = [
        lineage.frame(one, one.table, F.col("user_id") == user).select(F.lit(place).alias("place"))
        for place, one in enumerate(named)
    ]
    counted = reduce(DataFrame.union, counts).groupBy("place").agg(F.count("*").alias("n"))
    tables = {one.table for one in named}
    found = {row["place"]: row["n"] for row in lineage.collect(counted, index, *tables)}
    return tuple(
        UserRows(one.table, one.scope, one.version, found[place])
        for place, one in enumerate(named)
        if place in found
    )


def _entries(
    lineage: Lineage, index: Origin, items: DataFrame, limit: int
) -> tuple[int, tuple[TouchedEntry, ...]]:
    """Neighbours in lists of the user's items that the user has too."""
    some = lineage.collect(items.limit(MOST_LOOKED_UP + 1), index, "fused")
    named = [row["item_id"] for row in some]

    def of_user(rows: DataFrame, item: str = "item_id") -> DataFrame:
        """The rows with an item of the user. Where these are few, files and pages are skipped."""
        if len(named) <= MOST_LOOKED_UP:
            return rows.where(F.col(item).isin(named))
        return rows.join(F.broadcast(items.withColumnRenamed("item_id", item)), item, "left_semi")

    lists = of_user(lineage.frame(index, "item_index"))
    entries = lists.select("item_id", F.explode("neighbors").alias("n")).select(
        "item_id", F.col("n.item_id").alias("neighbor_id"), "n.rank", "n.score"
    )
    both = of_user(entries, "neighbor_id")
    similar = of_user(lineage.frame(index, "item_similarity"))
    support = similar.select("item_id", "neighbor_id", "support")
    ends = ["item_id", "neighbor_id"]
    listed = both.join(support, ends, "left").orderBy(
        F.col("support").asc_nulls_last(), "rank", *ends
    )
    total = lineage.collect(both.agg(F.count("*").alias("n")), index, "item_index")[0]["n"]
    rows = lineage.collect(listed.limit(limit), index, "item_index", "item_similarity")
    return total, tuple(
        TouchedEntry(row["item_id"], row["neighbor_id"], row["rank"], row["score"], row["support"])
        for row in rows
    )


def _models(
    lineage: Lineage, upstream: Sequence[Origin], rows: Sequence[UserRows]
) -> list[TrainedModel]:
    """The models of the same branch, or variant and backbone, as training examples of the user."""
    found = []
    for origin in upstream:
        if origin.table not in ("checkpoints", "combiners"):
            continue
        examples = {
            TRAINED_ON.get(one.table, one.table): one.rows
            for one in rows
            if one.scope == origin.scope and one.table in (*TRAINED_ON, "combiner_examples")
        }
        for row in lineage.read(origin, origin.table) if examples else ():
            is_role = origin.table == "checkpoints"
            count = examples.get(row["role"] if is_role else "combiner_examples", 0)
            if count:
                name = row["role"] if is_role else f"combiner of {' '.join(origin.scope.values())}"
                found.append(
                    TrainedModel(origin.table, name, row["model_digest"], row["path"], count)
                )
    return found


def _votes(lineage: Lineage, upstream: Sequence[Origin], user: str) -> int:
    """Rows of other users that steps of this one voted for."""
    retrieved = [one for one in upstream if one.table == "retrieved"]
    if not retrieved:
        return 0
    origin = retrieved[0]
    rows = lineage.frame(origin, "retrieved", F.col("user_id") != user)
    examples = _examples_read(lineage, origin).where(F.col("user_id") == user)
    votes = rows.select("user_id", "item_id", F.explode("votes.example_id").alias("example_id"))
    voted = votes.join(F.broadcast(examples.select("example_id")), "example_id")
    (row,) = lineage.collect(
        voted.agg(F.count_distinct("user_id", "item_id").alias("n")), origin, "retrieved"
    )
    return int(row["n"])


def _examples_read(lineage: Lineage, retrieved: Origin) -> DataFrame:
    """The examples that a result of `retrieved` was made from, which the same stage wrote."""
    version = retrieved.record.attributes.get("examples_version") if retrieved.record else None
    found = lineage.find("in_context_examples", retrieved.scope, version)
    if found is None:
        raise TableNotFoundError("There is no table in_context_examples; run stage retrieve again.")
    return lineage.frame(found, "in_context_examples")


def _titles(lineage: Lineage, upstream: Sequence[Origin], items: Sequence[str]) -> dict[str, str]:
    """As the version of `items` upstream has them; of the latest where there is none."""
    found = [one for one in upstream if one.table == "items"]
    catalogue = found[-1] if found else lineage.find("items", {})
    if catalogue is None:
        return {}
    rows = lineage.read(catalogue, "items", F.col("item_id").isin(sorted(set(items))))
    return {row["item_id"]: row["title"] for row in rows if row["title"]}
