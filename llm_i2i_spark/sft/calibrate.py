"""Calibration on users whose last item was withheld from training: proposals and scores, the fit,
and how well it holds for users that it was not fitted on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llm_i2i_spark.lm.calibration import Calibration
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.decoding import propose
from llm_i2i_spark.lm.encoding import ScoringRequest
from llm_i2i_spark.lm.scoring import score
from llm_i2i_spark.metrics.reliability import Reliability
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.sft.distributed import Distributed
from llm_i2i_spark.sft.examples import GeneratorRow
from llm_i2i_spark.training_job.events import Reporter

BATCH_TOKENS = 16_384
USERS_AT_ONCE = 256

Outcome = tuple[float, float, bool]
"""Log-probability and Yes-minus-No logit of a proposal, and whether it is the withheld item."""


@dataclass(frozen=True)
class FittedCalibration:
    """A calibration, and how far it can be trusted.

    Attributes:
        calibration: fitted on all calibration users.
        reliability: of the proposals for each half of the users, calibrated on the other half; None
            for a single user.
        users: how many there were.
    """

    calibration: Calibration
    reliability: Reliability | None
    users: int


def calibrate(
    rows: Sequence[GeneratorRow],
    generator: LoadedCheckpoint,
    discriminator: LoadedCheckpoint,
    known: Mapping[str, set[str]],
    texts: Mapping[str, str],
    per_user: int,
    history_length: int,
    distributed: Distributed,
    reporter: Reporter,
) -> FittedCalibration | None:
    """Propose, score and compare with the withheld item, exactly as the later stages will.

    Args:
        rows: of split `calibration`, the same on all ranks; their one target is the withheld item.
        generator: proposes items.
        discriminator: scores them.
        known: items of every user, which are not proposed.
        texts: of the catalogue, by item id.
        per_user: proposals a user.
        history_length: of a user's latest items, how many the discriminator is shown.
        distributed: this rank, which works on its shard of the rows.
        reporter: of progress.

    Returns:
        The fitted calibration; None without calibration rows.
    """
    shard = distributed.shard(rows)
    outcomes: list[list[Outcome]] = []
    for start in range(0, len(shard), USERS_AT_ONCE):
        part = shard[start : start + USERS_AT_ONCE]
        outcomes += _outcomes(
            part, generator, discriminator, known, texts, per_user, history_length
        )
        reporter.progress("calibration", len(outcomes), len(shard), "users")
    gathered = distributed.all_gather(outcomes, len(rows))
    gathered = [of_user for of_user in gathered if of_user]
    return fit_and_measure(gathered) if gathered else None


def fit_and_measure(outcomes: Sequence[Sequence[Outcome]]) -> FittedCalibration:
    """Fit on the outcomes of all users; measure on those of every other user what is fitted on the
    others, so that no outcome speaks for itself.

    Args:
        outcomes: of each user, at least one.
    """
    calibration = _fit(outcomes)
    if len(outcomes) == 1:
        return FittedCalibration(calibration, None, 1)
    halves = outcomes[0::2], outcomes[1::2]
    confidence, hits = [], []
    for fitted_on, measured_on in (halves, halves[::-1]):
        log_prob, logit, hit = _columns(measured_on)
        confidence.append(_fit(fitted_on).confidence(log_prob, logit))
        hits.append(hit)
    reliability = Reliability.measure(np.concatenate(confidence), np.concatenate(hits))
    return FittedCalibration(calibration, reliability, len(outcomes))


def _fit(outcomes: Sequence[Sequence[Outcome]]) -> Calibration:
    return Calibration.fit(*_columns(outcomes))


def _columns(
    outcomes: Sequence[Sequence[Outcome]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    flat = [outcome for of_user in outcomes for outcome in of_user]
    log_prob, logit, hit = zip(*flat, strict=True)
    return np.array(log_prob), np.array(logit), np.array(hit, np.bool_)


def _outcomes(
    rows: Sequence[GeneratorRow],
    generator: LoadedCheckpoint,
    discriminator: LoadedCheckpoint,
    known: Mapping[str, set[str]],
    texts: Mapping[str, str],
    per_user: int,
    history_length: int,
) -> list[list[Outcome]]:
    """The outcome of every proposal of each user."""
    histories = [row.history for row in rows]
    excluded = [
        known.get(row.user_id, set()) | {item.item_id for item in row.history} for row in rows
    ]
    proposals = propose(generator, histories, excluded, per_user, BATCH_TOKENS)
    latest = [history[-history_length:] for history in histories]
    requests = [
        [
            ScoringRequest(len(shown), Item(proposal.item_id, texts[proposal.item_id]))
            for proposal in of_user
        ]
        for shown, of_user in zip(latest, proposals, strict=True)
    ]
    logits = score(discriminator, latest, requests, BATCH_TOKENS)
    return [
        [
            (proposal.log_prob, float(logit), proposal.item_id == row.targets[0].item_id)
            for proposal, logit in zip(of_user, of_user_logits, strict=True)
        ]
        for row, of_user, of_user_logits in zip(rows, proposals, logits, strict=True)
    ]
