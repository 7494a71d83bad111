"""Slices: kinds of items, by how often they were interacted with, and of users, by how often they
interacted.
"""

from __future__ import annotations

from collections.abc import Sequence

from llm_i2i_spark.base.errors import ConfigError

BUCKETS = {
    "new": "never seen",
    "seen_1_4": "1–4 interactions",
    "seen_5_9": "5–9",
    "seen_10_19": "10–19",
    "seen_20_49": "20–49",
    "seen_50_up": "50 or more",
}
"""Slices by popularity: interactions with the item that the models have seen."""

BUCKET_EDGES = (0, 1, 5, 10, 20, 50)
"""Lower end of each of `BUCKETS`, in interactions."""

ITEM_SLICES = ("all", "long_tail", "long_tail_train", "head", *BUCKETS)
"""Kinds of items. In `long_tail` are the items of the bottom share by interactions in the whole
log, in `long_tail_train` those by interactions in the training fold, in `head` what is not in
`long_tail`.
"""

USER_SLICES = {
    "history_0": "no interaction",
    "history_1_4": "1–4 interactions",
    "history_5_9": "5–9",
    "history_10_19": "10–19",
    "history_20_49": "20–49",
    "history_50_up": "50 or more",
}
"""Kinds of users, by their interactions before the held-out one, with the edges of `BUCKETS`."""

SLICES = (*ITEM_SLICES, *USER_SLICES)
"""Kinds of held-out interactions: those of the item, then those of the user."""

COMPARED_SLICES = ("all", "long_tail")
"""What tables show where nothing else is asked for."""

SLICE_TITLES = (
    {
        "all": "all items",
        "long_tail": "long tail",
        "long_tail_train": "long tail (training fold)",
        "head": "head",
        "new": "new items",
    }
    | {name: f"seen {words}" for name, words in list(BUCKETS.items())[1:]}
    | {name: f"users with {words}" for name, words in USER_SLICES.items()}
)


def require_slices(names: Sequence[str]) -> None:
    """Make sure that slices are known.

    Raises:
        ConfigError: one is not.
    """
    unknown = [name for name in names if name not in SLICES]
    if unknown or not names:
        asked = f"no slice {unknown[0]}" if unknown else "no slice named"
        raise ConfigError(f"There is {asked}; choose from {', '.join(SLICES)}.")
