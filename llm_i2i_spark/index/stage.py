"""Stage index: reads `item_similarity` and, for popularity, `fused`; writes `item_index`."""

from __future__ import annotations

from pyspark.sql import functions as F

from llm_i2i_spark.base.run_record import Run, Stage
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.index.transform import count_clicks, rank_neighbors
from llm_i2i_spark.lake.tables import Lake


def execute(lake: Lake, config: Config, run: Run) -> None:
    """Rank the neighbours of each variant of the run."""
    of_run = F.col("variant").isin(*run.variants)
    similarity = lake.read("item_similarity", run.inputs["item_similarity"]).where(of_run)
    clicks = count_clicks(lake.read("fused", run.inputs["fused"]).where(of_run))
    record = run.record(
        config, "item_index", size=config.index.size, normalize=config.index.normalize
    )
    lake.write(rank_neighbors(similarity, clicks, config.index), record, "index: neighbour lists")


STAGE = Stage(
    name="index",
    needs=lambda config, variants: ("item_similarity", "fused"),
    writes=("item_index",),
    settings=("index",),
    execute=execute,
)
