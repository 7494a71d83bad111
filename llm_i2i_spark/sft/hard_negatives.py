"""Hard negatives: items that the generator ranks high after a history and that the user does not
have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.decoding import propose
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.sft.distributed import Distributed
from llm_i2i_spark.sft.examples import LabelledCandidates
from llm_i2i_spark.training_job.events import Reporter

POOL_SIZE = 30
BATCH_TOKENS = 16_384
HISTORIES_AT_ONCE = 2048


def with_hard_negatives(
    groups: Sequence[LabelledCandidates],
    generator: LoadedCheckpoint,
    known: Mapping[str, set[str]],
    texts: Mapping[str, str],
    seed: int,
    distributed: Distributed,
    reporter: Reporter,
) -> list[LabelledCandidates]:
    """Replace half of each history's random negatives by hard ones.

    They are sampled from the generator's 30 best proposals, since the very best is too often an
    item that the user would really take.

    Args:
        groups: candidates by history, the same on all ranks.
        generator: proposes the items.
        known: items of every user, which are never a negative.
        texts: of the catalogue, by item id.
        seed: of the sample, which also depends on the index of the group.
        distributed: this rank, which mines its shard.
        reporter: of progress.
    """
    shard = distributed.shard(groups)
    pools: list[list[str]] = []
    for start in range(0, len(shard), HISTORIES_AT_ONCE):
        part = shard[start : start + HISTORIES_AT_ONCE]
        excluded = [
            known.get(group.user_id, set())
            | {item.item_id for item in (*group.history, *group.candidates)}
            for group in part
        ]
        proposals = propose(
            generator, [group.history for group in part], excluded, POOL_SIZE, BATCH_TOKENS
        )
        pools += [[proposal.item_id for proposal in of_group] for of_group in proposals]
        reporter.progress("hard negatives", len(pools), len(shard), "histories")
    all_pools = distributed.all_gather(pools, len(groups))
    return [
        _replace_half(group, pool, texts, np.random.default_rng([seed, index]))
        for index, (group, pool) in enumerate(zip(groups, all_pools, strict=True))
    ]


def _replace_half(
    group: LabelledCandidates,
    pool: Sequence[str],
    texts: Mapping[str, str],
    random: np.random.Generator,
) -> LabelledCandidates:
    negatives = [index for index, label in enumerate(group.labels) if not label]
    replaced = negatives[: min(len(negatives) // 2, len(pool))]
    candidates = list(group.candidates)
    for index, sampled in zip(replaced, random.permutation(len(pool)), strict=False):
        candidates[index] = Item(pool[sampled], texts[pool[sampled]])
    return replace(group, candidates=candidates)
