"""The sweeps that the paper makes or leaves open, each with a name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.experiments.sweeps.points import SweepPoint, SweepPoints, points_of

SCORES = {"p_yes": "p_yes", "confidence": "calibrated confidence"}
"""What a synthetic row is judged by, with the words for it."""
PUBLISHED_MODE: Mapping[str, Any] = {
    "fuse.mode": "threshold",
    "fuse.score": "p_yes",
    "fuse.threshold": 1.0,
}
"""The paper's rule: what the discriminator calls Yes with confidence 1.0 counts as a click."""
EVERY_ROW: Mapping[str, Any] = {"fuse.mode": "threshold", "fuse.threshold": 0.0}
"""Every synthetic row that is left counts as a click."""
BANDS = 5
THRESHOLDS = (0.5, 0.7, 0.9, 1.0)
ROWS = (0, 1, 2, 5, 10, 20, 50)
ALPHAS = (1.0, 2.0, 4.0, 8.0)
HISTORIES = (5, 10, 20, 50)
NEGATIVES: Mapping[str, Mapping[str, Any]] = {
    "random": {"export.negatives": "random", "export.popular_negatives_share": 0.0},
    "generator": {
        "export.negatives": "generator",
        "export.hard_negatives_share": 0.5,
        "export.popular_negatives_share": 0.0,
    },
    "popularity": {
        "export.negatives": "random",
        "export.hard_negatives_share": 0.0,
        "export.popular_negatives_share": 1.0,
    },
}


def _bands() -> Iterator[SweepPoint]:
    for score, words in SCORES.items():
        for band in range(BANDS):
            low, high = band / BANDS, (band + 1) / BANDS
            settings = {**EVERY_ROW, "fuse.score": score, "fuse.band": [low, high]}
            yield SweepPoint(f"{100 * low:.0f}–{100 * high:.0f} %", settings, words)


def _thresholds() -> Iterator[SweepPoint]:
    for score, words in SCORES.items():
        for threshold in THRESHOLDS:
            settings = {**PUBLISHED_MODE, "fuse.score": score, "fuse.threshold": threshold}
            yield SweepPoint(str(threshold), settings, words)


def _rows() -> Iterator[SweepPoint]:
    rules = {
        "each counts as a click": EVERY_ROW,
        "weighed by confidence": {"fuse.mode": "soft"},
    }
    for words, rule in rules.items():
        for rows in ROWS:
            yield SweepPoint(str(rows), {**rule, "fuse.per_user": rows}, words)


PRESETS = (
    SweepPoints(
        "confidence_bands",
        "Synthetic rows by their confidence",
        "fifth of the synthetic rows by score, the least credible first",
        tuple(_bands()),
        "Each point adds one fifth of what the generator proposes to the log, every row of it as a"
        " click: the fifths are equally many rows, and differ in how credible they are.",
    ),
    SweepPoints(
        "threshold",
        "The published threshold",
        "lowest score that is kept",
        tuple(_thresholds()),
        "The paper keeps what the discriminator calls Yes with confidence 1.0. Its confidence is"
        " the probability of the word Yes; ours is calibrated, and seldom high.",
    ),
    SweepPoints(
        "rows_per_user",
        "Synthetic rows a user",
        "synthetic rows of a user at most, the most credible first",
        tuple(_rows()),
        "0 is the log as it is. In the paper's figure recall first rises, then falls.",
    ),
    SweepPoints(
        "alpha",
        "Weight of long-tail targets in the loss",
        "sft.alpha",
        tuple(SweepPoint(f"{alpha:g}", {"sft.alpha": alpha}) for alpha in ALPHAS),
        "The paper has 4; 1 is no long-tail loss, where sft.beta is 1.",
    ),
    SweepPoints(
        "history",
        "Length of the history that the models see",
        "latest items of a user",
        tuple(
            SweepPoint(
                str(length), {"export.history_length": length, "export.sequence_length": length}
            )
            for length in HISTORIES
        ),
        "The paper has 10, for both models.",
    ),
    SweepPoints(
        "negatives",
        "What the discriminator learns to refuse",
        "negatives",
        tuple(SweepPoint(name, settings) for name, settings in NEGATIVES.items()),
        "The paper draws them at random from the catalogue and leaves open whether hard ones are"
        " better; here half of the hard ones are what the generator ranks high.",
    ),
)


def choose_points(key: str | None, values: Sequence[Any], preset: str | None) -> SweepPoints:
    """The points of an option or of a preset, whichever is named.

    Raises:
        ConfigError: both or neither is named, or the one that is does not exist.
    """
    if (key is None) == (preset is None):
        names = ", ".join(one.name for one in PRESETS)
        raise ConfigError(
            f"Name either an option with its values, such as sft.alpha=1,2,4, or a preset: {names}."
        )
    return find_preset(preset) if preset is not None else points_of(key or "", values)


def find_preset(name: str) -> SweepPoints:
    """A preset by name.

    Raises:
        ConfigError: there is none of this name.
    """
    for preset in PRESETS:
        if preset.name == name:
            return preset
    known = ", ".join(preset.name for preset in PRESETS)
    raise ConfigError(f"There is no preset {name!r}; choose one of {known}.")
