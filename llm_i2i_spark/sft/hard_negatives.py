"""Hard negatives: items drawn from those that the generator ranks high after a history and that the
user does not have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set
from typing import TypeVar

import numpy as np

from llm_i2i_spark.base.sections.export import part_of
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.decoding import rank_catalogue
from llm_i2i_spark.sft.distributed import Distributed
from llm_i2i_spark.sft.examples import CandidateGroups
from llm_i2i_spark.training_job.events import Reporter

T = TypeVar("T")

BATCH_TOKENS = 16_384
HISTORIES_AT_ONCE = 2048


def with_hard_negatives(
    groups: CandidateGroups,
    generator: LoadedCheckpoint,
    known: Mapping[str, set[str]],
    new: Set[str],
    pool_size: int,
    share: float,
    seed: int,
    distributed: Distributed,
    reporter: Reporter,
) -> CandidateGroups:
    """Replace the first negatives of each history by items drawn from the generator's best.

    All of the pool have equal chances: the very best are too often items that the user would really
    take, and drawing at random from the top beats taking it (RoDPO, arXiv 2603.29259).

    Args:
        groups: candidates by history, the same on all ranks.
        generator: proposes the items.
        known: items of every user, which are never a negative.
        new: items that nobody could click yet, of which the same holds.
        pool_size: how many of the generator's proposals are drawn from.
        share: of the negatives, that are replaced; rounded down.
        seed: of the draws, which depend on user, position and number of the negative alone.
        distributed: this rank, which draws for its shard.
        reporter: of progress.
    """
    shard, vocabulary = distributed.shard(groups), generator.vocabulary
    is_new = np.array([item_id in new for item_id in vocabulary.item_ids], np.bool_)
    # The vocabulary numbers items as the catalogue does.
    drawn: list[list[int]] = []
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
            key = f"{seed}|{group.user_id}|{group.position}"
            drawn.append(draw(pool.tolist(), number, key))
        reporter.progress("hard negatives", len(drawn), len(shard), "histories")
    return groups.with_first_negatives(distributed.all_gather(drawn, len(groups)))


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
