"""Stage i2i: reads `fused`, writes `item_similarity` for all variants of the run in one commit."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.base.config import Config
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.runs import Run, Stage
from llm_i2i_spark.i2i.block import choose_blocks, similar_by_block
from llm_i2i_spark.i2i.projection import click_graph, similar_by_projection
from llm_i2i_spark.i2i.transform import measure_users, name_items, number_items, user_lists
from llm_i2i_spark.lake.capabilities import cores
from llm_i2i_spark.lake.materialize import materialized
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.lake.watch import watch_tasks


def execute(lake: Lake, config: Config, run: Run) -> None:
    """Compute Swing for each variant.

    Raises:
        UserError: a variant of the run has no rows.
    """
    fused = lake.read("fused", run.inputs["fused"]).where(F.col("variant").isin(*run.variants))
    with watch_tasks(lake.spark, "i2i: list lengths"):
        sizes = {row["variant"]: row for row in measure_users(fused).collect()}
    for variant in run.variants:
        if variant not in sizes:
            raise UserError(f"Table fused has no rows of variant {variant}; run stage fuse with --variants {','.join(run.variants)} first.")
    blocks = {name: config.i2i.blocks or choose_blocks(sizes[name]["squared"], cores(lake.spark)) for name in run.variants}
    record = run.record(
        config,
        "item_similarity",
        engine=config.i2i.engine,
        blocks=blocks,
        users={name: sizes[name]["users"] for name in run.variants},
        longest_list={name: sizes[name]["longest"] for name in run.variants},
    )
    with materialized(lake, number_items(fused), "i2i: item numbers") as items:
        parts = [_similarity(fused, items, name, blocks[name], sizes[name]["longest"], config) for name in run.variants]
        lake.write(reduce(DataFrame.unionByName, parts), record, "i2i: Swing")


def _similarity(fused: DataFrame, items: DataFrame, variant: str, blocks: int, longest: int, config: Config) -> DataFrame:
    swing, top_k = config.i2i.swing, config.i2i.top_k
    if swing.max_items_per_user is not None and longest <= swing.max_items_per_user:
        swing = swing.model_copy(update={"max_items_per_user": None})  # the cap touches nobody, so its sort is saved
    lists = user_lists(fused, variant, items, swing, config.seed)
    if config.i2i.engine == "projection":
        similar = similar_by_projection(click_graph(lists), swing.a2, top_k)
    else:
        similar = similar_by_block(lists, blocks, swing.a2, top_k)
    return name_items(similar, items, variant)


STAGE = Stage(
    name="i2i",
    needs=lambda config, variants: ("fused",),
    writes=("item_similarity",),
    settings=("i2i",),
    execute=execute,
)
