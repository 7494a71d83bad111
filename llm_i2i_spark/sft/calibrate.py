"""Calibration data: proposals and scores for users whose last item was withheld from training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from llm_i2i_spark.lm.calibration import Calibration
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.decoding import propose
from llm_i2i_spark.lm.encoding import ScoringRequest
from llm_i2i_spark.lm.scoring import score
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.sft.distributed import Distributed
from llm_i2i_spark.sft.examples import GeneratorRow
from llm_i2i_spark.training_job.events import Reporter

BATCH_TOKENS = 16_384
USERS_AT_ONCE = 256

Outcome = tuple[float, float, bool]
"""Log-probability and Yes-minus-No logit of a proposal, and whether it is the withheld item."""


def calibrate(
    rows: Sequence[GeneratorRow],
    generator: LoadedCheckpoint,
    discriminator: LoadedCheckpoint,
    known: Mapping[str, set[str]],
    texts: Mapping[str, str],
    per_user: int,
    distributed: Distributed,
    reporter: Reporter,
) -> Calibration | None:
    """Propose, score and compare with the withheld item, exactly as the later stages will.

    Args:
        rows: of split `calibration`, the same on all ranks; their one target is the withheld item.
        generator: proposes items.
        discriminator: scores them.
        known: items of every user, which are not proposed.
        texts: of the catalogue, by item id.
        per_user: proposals a user.
        distributed: this rank, which works on its shard of the rows.
        reporter: of progress.

    Returns:
        The fitted calibration; None without calibration rows.
    """
    shard = distributed.shard(rows)
    outcomes: list[list[Outcome]] = []
    for start in range(0, len(shard), USERS_AT_ONCE):
        part = shard[start : start + USERS_AT_ONCE]
        outcomes += _outcomes(part, generator, discriminator, known, texts, per_user)
        reporter.progress("calibration", len(outcomes), len(shard), "users")
    gathered = distributed.all_gather(outcomes, len(rows))
    flat = [outcome for of_user in gathered for outcome in of_user]
    if not flat:
        return None
    log_prob, logit, hit = zip(*flat, strict=True)
    return Calibration.fit(np.array(log_prob), np.array(logit), np.array(hit))


def _outcomes(
    rows: Sequence[GeneratorRow],
    generator: LoadedCheckpoint,
    discriminator: LoadedCheckpoint,
    known: Mapping[str, set[str]],
    texts: Mapping[str, str],
    per_user: int,
) -> list[list[Outcome]]:
    """The outcome of every proposal of each user."""
    histories = [row.history for row in rows]
    excluded = [
        known.get(row.user_id, set()) | {item.item_id for item in row.history} for row in rows
    ]
    proposals = propose(generator, histories, excluded, per_user, BATCH_TOKENS)
    requests = [
        [
            ScoringRequest(len(row.history), Item(proposal.item_id, texts[proposal.item_id]))
            for proposal in of_user
        ]
        for row, of_user in zip(rows, proposals, strict=True)
    ]
    logits = score(discriminator, histories, requests, BATCH_TOKENS)
    return [
        [
            (proposal.log_prob, float(logit), proposal.item_id == row.targets[0].item_id)
            for proposal, logit in zip(of_user, of_user_logits, strict=True)
        ]
        for row, of_user, of_user_logits in zip(rows, proposals, logits, strict=True)
    ]
