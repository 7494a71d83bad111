"""What a reader of an evaluation must know of it beside its figures, in sentences."""

from __future__ import annotations

from llm_i2i_spark.evaluate.settings import EvaluationSettings
from llm_i2i_spark.evaluate.slices import SLICES
from llm_i2i_spark.kernels.arrays import Int64Array

SEEN_ITEMS_RANKED = (
    "Seen items are not removed: what a user has had is ranked too, and a clicked item leads its"
    " own list."
)


def evaluation_notes(settings: EvaluationSettings, users: Int64Array) -> tuple[str, ...]:
    """The sentences for one evaluation; none where it is the usual one.

    Args:
        settings: what was asked.
        users: (slices,) users of each of `SLICES`.
    """
    count = dict(zip(SLICES, users.tolist(), strict=True))
    notes = []
    if not settings.remove_seen:
        notes.append(SEEN_ITEMS_RANKED)
    if settings.split_in_time or count["history_0"]:
        notes.append(
            f"{count['history_0']:,} of {count['all']:,} users have no interaction before the"
            " held-out one: they are shown nothing and count as misses."
        )
    if settings.split_in_time:
        notes.append(
            f"{count['new']:,} of {count['all']:,} held-out interactions are with items that the"
            " models never saw."
        )
    return tuple(notes)
