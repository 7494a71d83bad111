"""Hard negatives: items drawn from those that the generator ranks high after a history and that the
user does not have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import TypeVar

import numpy as np

from llm_i2i_spark.base.sections.export import part_of
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.decoding import rank_catalogue
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.sft.distributed import Distributed
from llm_i2i_spark.sft.examples import LabelledCandidates
from llm_i2i_spark.training_job.events import Reporter

T = TypeVar("T")

BATCH_TOKENS = 16_384
HISTORIES_AT_ONCE = 2048


def with_hard_negatives(
    groups: Sequence[LabelledCandidates],
    generator: LoadedCheckpoint,
    known: Mapping[str, set[str]],
    new: Set[str],
    texts: Mapping[str, str],
    pool_size: int,
    share: float,
    seed: int,
    distributed: Distributed,
    reporter: Reporter,
) -> list[LabelledCandidates]:
    """Replace the first negatives of each history by items drawn from the generator's best.

    All of the pool have equal chances: the very best are too often items that the user would really
    take, and drawing at random from the top beats taking it (RoDPO, arXiv 2603.29259).

    Args:
        groups: candidates by history, the same on all ranks.
        generator: proposes the items.
        known: items of every user, which are never a negative.
        new: items that nobody could click yet, of which the same holds.
        texts: of the catalogue, by item id.
        pool_size: how many of the generator's proposals are drawn from.
        share: of the negatives, that are replaced; rounded down.
        seed: of the draws, which depend on user, position and number of the negative alone.
        distributed: this rank, which draws for its shard.
        reporter: of progress.
    """
    shard, vocabulary = distributed.shard(groups), generator.vocabulary
    is_new = np.array([item_id in new for item_id in vocabulary.item_ids], np.bool_)
    drawn: list[list[str]] = []
    for start in range(0, len(shard), HISTORIES_AT_ONCE):
        part = shard[start : start + HISTORIES_AT_ONCE]
        excluded = [
            known.get(group.user_id, set())
            | {item.item_id for item in (*group.history, *group.candidates)}
            for group in part
        ]
        ranking = rank_catalogue(
            generator, [group.history for group in part], excluded, pool_size, BATCH_TOKENS
        )
        kept = ~is_new[ranking.items]
        pools = np.split(
            ranking.items[kept],
            np.searchsorted(ranking.users[kept], np.arange(1, len(part))),
        )
        for group, pool in zip(part, pools, strict=True):
            number = part_of(group.labels.count(False), share)
            chosen = draw(pool.tolist(), number, f"{seed}|{group.user_id}|{group.position}")
            drawn.append([vocabulary.item_ids[item] for item in chosen])
        reporter.progress("hard negatives", len(drawn), len(shard), "histories")
    of_all = distributed.all_gather(drawn, len(groups))
    return [
        _replace_first(group, item_ids, texts)
        for group, item_ids in zip(groups, of_all, strict=True)
    ]


def draw(pool: Sequence[T], number: int, key: str) -> list[T]:
    """Items of a pool, each at most once, all with equal chances, by hashes of a key and of the
    number of the draw (the first steps of a Fisher-Yates shuffle).

    >>> draw(["a", "b", "c", "d"], 2, "42|some user|3")
    ['a', 'c']

    Args:
        pool: what to draw from.
        number: how many; all of a smaller pool.
        key: of the hashes.
    """
    left, drawn = list(pool), []
    for sample in range(min(number, len(left))):
        digest = hashlib.blake2b(f"{key}|{sample}".encode(), digest_size=8).digest()
        place = int.from_bytes(digest, "little") % len(left)
        left[place], left[-1] = left[-1], left[place]
        drawn.append(left.pop())
    return drawn


def _replace_first(
    group: LabelledCandidates, item_ids: Sequence[str], texts: Mapping[str, str]
) -> LabelledCandidates:
    negatives = [index for index, label in enumerate(group.labels) if not label]
    candidates = list(group.candidates)
    for index, item_id in zip(negatives, item_ids, strict=False):
        candidates[index] = Item(item_id, texts[item_id])
    return replace(group, candidates=candidates)
