"""Calibration: what the two models' scores mean, learned on users whose last item no model was
trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from llm_i2i_spark.lm.calibration import Calibration
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.decoding import propose
from llm_i2i_spark.lm.scoring import Question, score
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.sft.discriminator import MINING_TOKENS
from llm_i2i_spark.sft.distributed import Ranks
from llm_i2i_spark.sft.events import Reporter
from llm_i2i_spark.sft.examples import GeneratorRow

USERS_AT_ONCE = 256


def calibrate(
    rows: Sequence[GeneratorRow],
    generator: LoadedCheckpoint,
    discriminator: LoadedCheckpoint,
    known: Mapping[str, set[str]],
    texts: Mapping[str, str],
    per_user: int,
    ranks: Ranks,
    reporter: Reporter,
) -> Calibration | None:
    """Propose, score and compare with the withheld item, exactly as the later stages will.

    Args:
        rows: of the split `calibration`, the same on all ranks; their one target is the withheld
            item.
        known: items of every user, which are not proposed.
        texts: of the catalogue, by item id.
        per_user: proposals a user.

    Returns:
        The fitted calibration; None without calibration rows.
    """
    if not rows:
        return None
    mine = ranks.share(rows)
    found: list[list[tuple[float, float, bool]]] = []
    for start in range(0, len(mine), USERS_AT_ONCE):
        part = mine[start : start + USERS_AT_ONCE]
        histories = [row.history for row in part]
        taken = [
            known.get(row.user_id, set()) | {item.item_id for item in row.history} for row in part
        ]
        proposals = propose(generator, histories, taken, per_user, MINING_TOKENS)
        questions = [
            [
                Question(len(row.history), Item(proposal.item_id, texts[proposal.item_id]))
                for proposal in proposed
            ]
            for row, proposed in zip(part, proposals, strict=True)
        ]
        logits = score(discriminator, histories, questions, MINING_TOKENS)
        for row, proposed, judged in zip(part, proposals, logits, strict=True):
            withheld = row.targets[0].item_id
            found.append(
                [
                    (p.log_prob, float(logit), p.item_id == withheld)
                    for p, logit in zip(proposed, judged, strict=True)
                ]
            )
        reporter.progress("calibration", len(found), len(mine), "users")
    outcomes = [outcome for of_user in ranks.gather(found, len(rows)) for outcome in of_user]
    if not outcomes:
        return None
    log_prob, logit, hit = zip(*outcomes, strict=True)
    return Calibration.fit(np.array(log_prob), np.array(logit), np.array(hit))
