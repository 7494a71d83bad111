"""The evaluation kit on DataFrames, without a lake: indexes of any origin on a click log.

An index must not have seen what is held out. Split first, and make it from the training rows:

    clicks = split_interactions(clicks, holdout="last_1")
    similar = Swing().similar_items(clicks.where("fold = 'train'"))
    evaluate_index(to_index(similar), clicks)["recall@10"]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import pandas as pd
from pyspark.sql import DataFrame

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.sections.index import IndexConfig
from llm_i2i_spark.evaluate.evaluate_systems import Tables, cached, evaluate_systems
from llm_i2i_spark.evaluate.evaluation import Evaluation
from llm_i2i_spark.evaluate.external_index import choose_index_baseline, external_lists
from llm_i2i_spark.evaluate.settings import EvaluationSettings, Target, model_folds_of
from llm_i2i_spark.evaluate.systems import EXTERNAL, System
from llm_i2i_spark.lake.frames import Frame, require_columns, spark_frame, text_ids
from llm_i2i_spark.lake.item_statistics import item_statistics
from llm_i2i_spark.lake.splits import Holdout, split_interactions
from llm_i2i_spark.metrics import NDCG, Metric, Recall

DEFAULTS = IndexConfig()
INDEX = "index"
"""What an index is called that was given without a name."""


def evaluate_index(
    index: Frame | Mapping[str, Frame],
    interactions: Frame,
    holdout: Holdout = "last_1",
    metrics: Sequence[Metric] = (Recall(10), NDCG(10)),
    *,
    items: Frame | None = None,
    test_from: str | datetime | None = None,
    valid_from: str | datetime | None = None,
    baseline: str | None = None,
    target: Target = "test",
    protocol: Literal["strict", "refit"] = "refit",
    size: int = DEFAULTS.size,
    recent_items: int = DEFAULTS.recent_items,
    decay: float = DEFAULTS.decay,
    long_tail_share: float = 0.2,
    bootstrap: int = 1000,
    seed: int = 42,
    remove_seen: bool = True,
) -> Evaluation:
    """Measure one or more item-to-item indexes on held-out interactions, as stage `evaluate` does.

    A user's first row of the target fold is looked for among all items, ranked by the merged lists
    of the latest items before it: score(j) = sum over steps s back of decay^s * score of j in the
    list of that item. Items the user has had are never ranked, unless `remove_seen` is off; equal
    scores share their ranks. `evaluate_tie_orders` looks at interactions of equal time.

    Args:
        index: a row an item (item_id, neighbors, as `to_index` gives them) or a row a neighbour
            (item_id, rank, neighbor_id, score), made without what is held out; or several such
            indexes by name, compared on the same users. DataFrames of Spark or pandas.
        interactions: with columns fold (train, valid, test) and position, as they are; else
            user_id, item_id and ts or position, and split by `lake.splits.split_interactions`.
        holdout: how interactions without a fold are split; `time` needs timestamps.
        metrics: what is computed.
        items: the catalogue (item_id); items that occur in the interactions alone are added to it.
        test_from, valid_from: the moments at which `holdout="time"` cuts, see `split_interactions`.
        baseline: name of the index that gains are over; the first of several without it.
        target, protocol, recent_items, decay, long_tail_share, seed, remove_seen: see
            `EvaluationSettings`.
        size: lists are cut at this rank.
        bootstrap: resamples of users behind each interval.

    Raises:
        UserError: a column is missing, a score is no number, or nothing is held out.
    """
    indexes = {INDEX: index} if isinstance(index, (DataFrame, pd.DataFrame)) else dict(index)
    settings = EvaluationSettings(
        metrics=tuple(metrics),
        target=target,
        protocol=protocol,
        model_folds=model_folds_of(protocol),
        recent_items=recent_items,
        decay=decay,
        long_tail_share=long_tail_share,
        resamples=bootstrap,
        seed=seed,
        remove_seen=remove_seen,
        split_in_time=holdout == "time",
    )
    log = _split(interactions, holdout, target, protocol, test_from, valid_from)
    against = choose_index_baseline(list(indexes), baseline)
    return _evaluate(indexes, size, against, log, items, settings)


def _evaluate(
    indexes: Mapping[str, Frame],
    size: int,
    baseline: str,
    log: DataFrame,
    items: Frame | None,
    settings: EvaluationSettings,
) -> Evaluation:
    names = list(indexes)
    with cached() as staged:
        rows = staged(log, "evaluate: interactions")
        catalogue = staged(_catalogue(items, rows), "evaluate: items")
        index = external_lists(indexes, size, catalogue)
        statistics = item_statistics(catalogue, rows, settings.long_tail_share)
        return evaluate_systems(
            Tables(index, rows, catalogue, statistics),
            [System(name, EXTERNAL) for name in names],
            settings,
            staged,
            baselines=[None if name == baseline else names.index(baseline) for name in names],
            baseline=baseline,
        )


def _split(
    interactions: Frame,
    holdout: Holdout,
    target: Target,
    protocol: str,
    test_from: str | datetime | None,
    valid_from: str | datetime | None,
) -> DataFrame:
    if target == "valid" and protocol == "refit":
        raise ConfigError(
            "target=valid needs protocol=strict, since refit means an index that has seen the"
            " validation fold."
        )
    frame = spark_frame(interactions)
    if "fold" in frame.columns:
        wanted = ("user_id", "item_id", "position", "fold")
        require_columns(frame, wanted, "Interactions with a fold")
        return text_ids(frame.select(*wanted), ("user_id", "item_id"))
    if holdout == "none" or (holdout == "last_1" and target == "valid"):
        raise ConfigError(
            f"There is nothing to evaluate: holdout={holdout} leaves the fold {target} empty; set"
            " it to last_2."
        )
    split = split_interactions(frame, holdout, test_from=test_from, valid_from=valid_from)
    return split.select("user_id", "item_id", "position", "fold")


def _catalogue(items: Frame | None, log: DataFrame) -> DataFrame:
    clicked = log.select("item_id")
    if items is None:
        return clicked.distinct()
    frame = spark_frame(items)
    require_columns(frame, ("item_id",), "The items")
    return text_ids(frame, ("item_id",)).select("item_id").union(clicked).distinct()
