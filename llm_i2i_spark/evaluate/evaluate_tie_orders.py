"""How much of an evaluation rests on the order of a user's interactions of equal time.

Logs with coarse times (days, in many public ones) leave that order to chance or to the file, and
what is held out, or clicked last, depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from llm_i2i_spark.base.errors import ConfigError, InputDataError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.evaluate.evaluate_index import evaluate_index
from llm_i2i_spark.evaluate.evaluation import Evaluation
from llm_i2i_spark.evaluate.external_index import evaluate_external_indexes
from llm_i2i_spark.evaluate.settings import Target, model_folds_of, query_folds_of
from llm_i2i_spark.evaluate.tie_orders import TieOrders
from llm_i2i_spark.lake.frames import Frame, require_columns, spark_frame, text_ids
from llm_i2i_spark.lake.splits import Holdout, split_interactions
from llm_i2i_spark.lake.tables import Lake

Indexes = Frame | Mapping[str, Frame]
Options = Mapping[str, Any]
SEEDS = (1, 2, 3, 4, 5)


def evaluate_tie_orders(
    index: Indexes | Callable[[DataFrame], Indexes],
    interactions: Frame,
    holdout: Holdout = "last_1",
    *,
    seeds: Sequence[int] = SEEDS,
    **options: Any,
) -> TieOrders:
    """Evaluate with interactions of equal time in the order given, and shuffled by several seeds.

    A *function* that makes the index (or several by name) is called for every order with the rows
    that models may see, split anew: what is held out changes with the order, and no index has seen
    it. This is the way to tell whether a figure is an artefact of the order within a day:

        def make(train):
            return to_index(Swing().similar_items(train))

        evaluate_tie_orders(make, clicks)

    An index that is *made already* must not meet another held-out item, which it may have seen: the
    split stays, and of each user the interactions before the held-out one are shuffled where their
    times are equal. Equal times stand in the order of xxhash64(seed, user_id, item_id), as with
    `ingest.tie_order=shuffled`.

    Args:
        index: a function of a DataFrame, or what `evaluate_index` takes.
        interactions: user_id, item_id, ts; for an index that is made already with position and
            fold, as `split_interactions` leaves them, or else split here in the order given.
        holdout: how interactions are split, see `split_interactions`.
        seeds: of the shuffled orders, each once.
        options: further ones of `evaluate_index`.

    Raises:
        UserError: the interactions have no times, or those for a function are split already; or
            as `evaluate_index`.
    """
    check_seeds(seeds)
    frame = spark_frame(interactions)
    require_columns(frame, ("user_id", "item_id", "ts"), "Interactions whose ties are shuffled")
    cuts = {name: options.pop(name, None) for name in ("test_from", "valid_from")}
    found_for: Callable[[int | None], Evaluation]
    if isinstance(index, (DataFrame, pd.DataFrame, Mapping)):
        has_folds = "fold" in frame.columns
        split = frame if has_folds else split_interactions(frame, holdout, **cuts)
        found_for = partial(_evaluate_made, index, split, holdout, options)
        return collect_orders(found_for, seeds, frame, index_remade=False)
    if "fold" in frame.columns:
        raise InputDataError(
            "The interactions have a column fold: an index that is made for every order needs them"
            " as they were before the split, since what is held out depends on the order."
        )
    found_for = partial(_make_and_evaluate, index, frame, holdout, cuts, options)
    return collect_orders(found_for, seeds, frame, index_remade=True)


def _evaluate_made(
    index: Indexes, split: DataFrame, holdout: Holdout, options: Options, seed: int | None
) -> Evaluation:
    target = options.get("target", "test")
    log = split if seed is None else shuffle_queries(split, seed, target)
    return evaluate_index(index, log, holdout, **options)


def _make_and_evaluate(
    make: Callable[[DataFrame], Indexes],
    interactions: DataFrame,
    holdout: Holdout,
    cuts: Options,
    options: Options,
    seed: int | None,
) -> Evaluation:
    order: Literal["given", "shuffled"] = "given" if seed is None else "shuffled"
    log = split_interactions(interactions, holdout, **cuts, tie_order=order, seed=seed or 0)
    folds = model_folds_of(options.get("protocol", "refit"))
    return evaluate_index(make(log.where(F.col("fold").isin(*folds))), log, holdout, **options)


def lake_tie_orders(
    lake: Lake, config: Config, indexes: Mapping[str, DataFrame], seeds: Sequence[int]
) -> TieOrders:
    """The same for indexes that are made already, on the interactions of a lake.

    Args:
        lake: whose tables are read.
        config: of the evaluation.
        indexes: by name, as `external_index.evaluate_external_indexes` takes them.
        seeds: of the shuffled orders.

    Raises:
        UserError: the log has no times, or as `evaluate_external_indexes`.
    """
    interactions = lake.read("interactions")

    def found_for(seed: int | None) -> Evaluation:
        target = config.evaluate.target
        log = interactions if seed is None else shuffle_queries(interactions, seed, target)
        return evaluate_external_indexes(lake, config, indexes, interactions=log)

    return collect_orders(found_for, seeds, interactions, index_remade=False)


def check_seeds(seeds: Sequence[int]) -> None:
    """Make sure that there are seeds, each once.

    Raises:
        ConfigError: there is none, or one is there twice.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise ConfigError("Shuffled orders want one seed each, such as 1,2,3, and no seed twice.")


def shuffle_queries(interactions: DataFrame, seed: int, target: Target = "test") -> DataFrame:
    """The interactions with the positions of rows of equal time exchanged within each user, other
    than those of the target fold and after: these keep theirs.

    Args:
        interactions: user_id, item_id, ts, position, fold; more columns stay.
        seed: of the order.
        target: the fold that is held out.
    """
    names = ("user_id", "item_id", "ts", "position", "fold")
    require_columns(interactions, names, "Interactions whose ties are shuffled")
    rows = text_ids(interactions, ("user_id", "item_id"))
    is_query = F.col("fold").isin(*query_folds_of(target)) & F.col("ts").isNotNull()
    ties = Window.partitionBy("user_id", "ts", is_query)
    drawn = F.xxhash64(F.lit(seed), "user_id", "item_id")
    turn = F.row_number().over(ties.orderBy(drawn, "item_id"))
    places = F.sort_array(F.collect_list("position").over(ties))
    changed = F.when(is_query, F.element_at(places, turn)).otherwise(F.col("position"))
    return rows.withColumn("position", changed)


def collect_orders(
    found_for: Callable[[int | None], Evaluation],
    seeds: Sequence[int],
    interactions: DataFrame,
    index_remade: bool,
) -> TieOrders:
    """Evaluate in the order given and in those of the seeds.

    Args:
        found_for: evaluates in the order of a seed, or in the order given (None).
        seeds: of the shuffled orders.
        interactions: user_id and ts.
        index_remade: whether `found_for` makes the index again.
    """
    times = interactions.where("ts IS NOT NULL").groupBy("user_id", "ts")
    users = (
        times.agg(F.count("*").alias("rows")).groupBy("user_id").agg(F.max("rows").alias("most"))
    )
    counted = users.agg(
        F.count_if(F.col("most") > 1).alias("tied"), F.count("*").alias("users")
    ).first()
    assert counted is not None
    if not counted["users"]:
        raise InputDataError(
            "The interactions have no times, so none are equal: there is no order to shuffle."
        )
    given = found_for(None)
    shuffled = {seed: found_for(seed) for seed in seeds}
    return TieOrders(given, shuffled, index_remade, counted["tied"], counted["users"])
