"""The steps of a blend: components, mixture, examples, similarities."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from llm_i2i_spark.backbones.base import BackboneRun, Training
from llm_i2i_spark.backbones.blend import COMPONENTS, Blend
from llm_i2i_spark.backbones.blend_engine.combiner_checkpoints import load_combiner
from llm_i2i_spark.backbones.blend_engine.components import find_components
from llm_i2i_spark.backbones.blend_engine.examples import find_examples
from llm_i2i_spark.backbones.blend_engine.mix import learn_weights
from llm_i2i_spark.backbones.blend_engine.sample import collect_sample, sample_users
from llm_i2i_spark.backbones.blend_engine.scores import PARTS, blend_similarities
from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.kernels.arrays import Float64Array
from llm_i2i_spark.kernels.mixture import LEAST_CLICKS

MIXTURES = "least_clicks int, component string, weight double"


@dataclass(frozen=True)
class BlendTraining:
    """What a blend learns from users' last interactions.

    Attributes:
        names: of the components.
        weights: (buckets, components) of the mixture.
        examples: of the combiner, columns of the table `combiner_examples` without its scope; None
            where there is nobody to learn from, or nobody asked for them.
    """

    names: tuple[str, ...]
    weights: Float64Array
    examples: DataFrame | None


def train_on_held_out(
    blend: Blend, interactions: DataFrame, held_back: DataFrame, run: BackboneRun
) -> Training | None:
    """The mixture and the examples of the combiner; `Backbone.train` has the contract."""
    held_out = held_out_between(interactions, held_back)
    found = train_blend(blend, held_back, held_out, run)
    if found.examples is None:
        return None
    rows = interactions.sparkSession.createDataFrame(mixture_rows(found), MIXTURES)
    return Training(rows, found.examples)


def train_blend(
    blend: Blend,
    held_back: DataFrame,
    held_out: DataFrame,
    run: BackboneRun,
    with_examples: bool = True,
) -> BlendTraining:
    """Learn the mixture, and find the examples of the combiner.

    Args:
        blend: the parameters.
        held_back: interactions without any knowledge of the held-out ones, of `Backbone.compute`.
        held_out: `user_id, item_id`: the next interaction of each user.
        run: with the tables `items`, `item_stats`, `item_features` and `item_candidates`, where
            there are any; the last by a generator that has not seen the held-out interactions
            either.
    """
    blocks = find_components(blend, held_back, run)
    stats = run.tables.get("item_stats")
    chosen = sample_users(blend, held_back, held_out, blocks.catalogue, run.seed, stats)
    users = run.staged(chosen, "users to learn from")
    sample = collect_sample(users, blend)
    weights = learn_weights(blocks, sample)
    has_users = len(sample.target) > 0 and with_examples
    examples = find_examples(blend, blocks, weights, users, sample) if has_users else None
    return BlendTraining(blocks.names, weights, examples)


def mixture_rows(training: BlendTraining) -> list[tuple[int, str, float]]:
    """The mixture as rows of the columns `MIXTURES`."""
    return [
        (least, name, float(training.weights[bucket, k]))
        for bucket, least in enumerate(LEAST_CLICKS)
        for k, name in enumerate(training.names)
    ]


def blend_similar_items(blend: Blend, interactions: DataFrame, run: BackboneRun) -> DataFrame:
    """The similarities of all items; `Backbone.compute` has the contract."""
    if interactions.isEmpty():
        return _nothing(interactions)
    if "combiners" in run.tables:
        names, weights = _read_mixture(run.tables["mixtures"])
        row = run.tables["combiners"].first()
        assert row is not None
        combiner = load_combiner(row["path"], row["model_digest"])
    else:
        held_back, held_out = hold_back_last(interactions)
        # The generator may have seen the last clicks.
        unseen = {name: one for name, one in run.tables.items() if name != "item_candidates"}
        on_part = replace(run, title=f"{run.title}, without last clicks", tables=unseen)
        training = train_blend(blend, held_back, held_out, on_part, with_examples=False)
        names, weights, combiner = training.names, training.weights, None
    blocks = find_components(blend, interactions, run)
    known = replace(blocks, names=names)
    return blend_similarities(known, weights, combiner, blend.top_k)


def hold_back_last(interactions: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Interactions without each user's last one, and those last ones; without synthetic
    interactions, whose models may have seen them.
    """
    real = interactions.where((F.col("source") == "real") & F.col("position").isNotNull())
    user = Window.partitionBy("user_id")
    counted = real.withColumns(
        {
            "_latest": F.row_number().over(user.orderBy(F.desc("position"), "item_id")),
            "_rows": F.count("*").over(user),
        }
    )
    is_last = (F.col("_latest") == 1) & (F.col("_rows") > 1)
    before = counted.where(~is_last).drop("_latest", "_rows")
    return before, counted.where(is_last).select("user_id", "item_id")


def held_out_between(interactions: DataFrame, held_back: DataFrame) -> DataFrame:
    """The last real interaction of each user of whom it is held back: `user_id, item_id`.

    Interactions with items that are held back altogether, of any time, are not seen either.

    Raises:
        StageError: what they are to be predicted from has seen one of them, or a later one.
    """
    pair = ["user_id", "item_id"]
    seen = held_back.where(F.col("source") == "real").select(*pair, "position")
    real = interactions.where(F.col("source") == "real").select(*pair, "position")
    unseen = real.join(seen.select(*pair), pair, "left_anti")
    known = seen.select("item_id").distinct().withColumn("_known", F.lit(True))
    latest = seen.groupBy("user_id").agg(F.max("position").alias("_latest"))
    held_out = unseen.join(known, "item_id", "left").join(latest, "user_id", "left")
    is_later = F.coalesce(F.col("position") > F.col("_latest"), F.lit(True))
    if not held_out.where("_known").where(~is_later).isEmpty():
        raise StageError(
            "The interactions that a combiner would learn to predict are not later than all that it"
            " learns from; run stage fuse again with --force."
        )
    last = Window.partitionBy("user_id").orderBy(F.desc("position"), "item_id")
    numbered = held_out.where(is_later).withColumn("_place", F.row_number().over(last))
    return numbered.where("_place = 1").select(*pair)


def _read_mixture(table: DataFrame) -> tuple[tuple[str, ...], Float64Array]:
    """Names of the components and (buckets, components) weights, as `mixture_rows` wrote them."""
    rows = table.select("least_clicks", "component", "weight").collect()
    by_key = {(row["least_clicks"], row["component"]): row["weight"] for row in rows}
    names = tuple(name for name in COMPONENTS if (LEAST_CLICKS[0], name) in by_key)
    return names, np.array([[by_key[least, name] for name in names] for least in LEAST_CLICKS])


def _nothing(interactions: DataFrame) -> DataFrame:
    columns = {
        "neighbor_id": F.col("item_id"),
        "similarity": F.lit(0.0),
        "support": F.lit(None).cast("int"),
        "synthetic_share": F.lit(0.0),
        "components": F.lit(None).cast(PARTS),
    }
    return interactions.select("item_id").withColumns(columns).limit(0)
