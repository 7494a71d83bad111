"""What an evaluation asks: what is held out, how a query is merged, which metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.metrics import Metric, all_metrics

Target = Literal["valid", "test"]
Protocol = Literal["strict", "refit", "all"]


@dataclass(frozen=True)
class EvaluationSettings:
    """The settings of one evaluation.

    Attributes:
        metrics: what is computed, in the order of the tables.
        target: fold of the held-out interactions.
        protocol: what the models have seen; `strict`: the training fold, `refit`: all before the
            test fold.
        model_folds: the folds that the models have seen, for the popularity of items.
        recent_items: how many of a user's latest items have their lists merged.
        decay: weight of an item's list relative to that of the next later one.
        long_tail_share: bottom share of the items that is the long tail.
        resamples: draws of users behind each interval.
        seed: of the draws.
        remove_seen: whether items that the user has had are never ranked. Without it they compete
            with the others, and a clicked item leads its own list.
        split_in_time: whether folds are parts of the log in time, and not of each user's history.
    """

    metrics: tuple[Metric, ...]
    target: Target
    protocol: Protocol
    model_folds: tuple[str, ...]
    recent_items: int
    decay: float
    long_tail_share: float
    resamples: int
    seed: int
    remove_seen: bool = True
    split_in_time: bool = False

    @property
    def query_folds(self) -> tuple[str, ...]:
        """The folds that a user's query is made of: those before the target's."""
        return query_folds_of(self.target)


def query_folds_of(target: Target) -> tuple[str, ...]:
    """The folds before that of the targets."""
    return ("train",) if target == "valid" else ("train", "valid")


def model_folds_of(protocol: Literal["strict", "refit"]) -> tuple[str, ...]:
    """The folds that models see under a protocol."""
    return ("train", "valid") if protocol == "refit" else ("train",)


def settings_of(config: Config) -> EvaluationSettings:
    """The evaluation that a configuration describes, with every metric.

    Raises:
        ConfigError: `split.holdout` is none, or leaves the asked fold empty.
    """
    check_holdout(config)
    return EvaluationSettings(
        metrics=all_metrics(config.evaluate.ks),
        target=config.evaluate.target,
        protocol=config.split.protocol,
        model_folds=config.model_folds,
        recent_items=config.index.recent_items,
        decay=config.index.decay,
        long_tail_share=config.ingest.long_tail_share,
        resamples=config.evaluate.bootstrap,
        seed=config.seed,
        remove_seen=config.evaluate.remove_seen,
        split_in_time=config.split.holdout == "time",
    )


def check_holdout(config: Config) -> None:
    """Make sure that something is held out.

    Raises:
        ConfigError: `split.holdout` is none, or leaves the asked fold empty.
    """
    holdout = config.split.holdout
    if holdout == "none":
        raise ConfigError(
            "There is nothing to evaluate: split.holdout=none keeps every interaction for"
            " training; set it to last_2."
        )
    if holdout == "last_1" and config.evaluate.target == "valid":
        raise ConfigError(
            "evaluate.target=valid has no rows: split.holdout=last_1 holds out a test fold alone;"
            " set it to last_2."
        )
    if config.evaluate.target == "valid" and config.split.test_from and not config.split.valid_from:
        raise ConfigError(
            "evaluate.target=valid has no rows: split.test_from alone leaves no validation fold;"
            " set split.valid_from as well."
        )
