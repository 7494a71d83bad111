"""The works of the language models: what each reads of a log, in tokens and operations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from llm_i2i_spark.config.config import Config
from llm_i2i_spark.cost.log_size import LogSize
from llm_i2i_spark.cost.model_size import ModelSize
from llm_i2i_spark.cost.tokens import BACKWARD, Counting, PromptShape, Reading
from llm_i2i_spark.lm.token_limits import BEAMS_PER_PROPOSAL, CODE_SIZE, TREE_TOKENS


@dataclass(frozen=True)
class Work:
    """One thing that a stage does with a model.

    Attributes:
        stage: that does it.
        name: what it does.
        prompts: rows that the model reads, each as often as it does.
        tokens: of these, padding not counted.
        operations: floating-point operations.
    """

    stage: str
    name: str
    prompts: float
    tokens: float
    operations: float


def works_of(stage: str, config: Config, log: LogSize, model: ModelSize) -> tuple[Work, ...]:
    """What a stage does with a model to make one result; empty for a stage that is not counted.

    Args:
        stage: its name.
        config: the options of the result.
        log: what models see of the log.
        model: that is trained or asked.
    """
    if stage not in WORKS:
        return ()
    counting = Counting(config, log)
    return tuple(
        Work(stage, name, reading.prompts, reading.tokens, factor * reading.operations(model))
        for name, reading, factor in WORKS[stage](counting)
        if reading.prompts
    )


Readings = Iterator[tuple[str, Reading, int]]
"""Name of a work, what is read, and its operations over those of a forward pass."""


def _fine_tuning(counting: Counting) -> Readings:
    sft = counting.config.sft
    once = _generator_training(counting)
    passes = _passes(once, sft.epochs, sft.batch_size, sft.max_steps)
    yield "train generator", _times(once, passes), BACKWARD
    once, hard = _discriminator_training(counting)
    own = sft.discriminator
    passes = _passes(once, own.epochs, own.batch_size, sft.max_steps)
    yield "draw hard negatives", _times(hard, min(passes, 1)), 1
    yield "train discriminator", _times(once, passes), BACKWARD


def _passes(once: Reading, epochs: int, batch_size: int, max_steps: int | None) -> float:
    """How often each example is trained on: of more than `max_steps` take, some never are."""
    if max_steps is None:
        return epochs
    return min(epochs, max_steps * batch_size / max(once.prompts, 1))


def _generator_training(counting: Counting) -> Reading:
    """One pass over the examples."""
    config, shape, reading = counting.config, counting.generator, Reading()
    targets = 0.0
    length = config.export.sequence_length
    for items, users in counting.trained_lengths():
        if config.layout == "sequence":
            for shown in _rows_of_user(items, length, config):
                # The last token of the row is a target only.
                reading.add(users, shown * shape.codes)
                targets += users * shown * shape.codes
            continue
        if config.export.layout == "dialogue":
            for shown in _rows_of_user(items, length + 1, config):
                _add_dialogue(reading, counting, shown, users)
                targets += users * (shown - 1) * shape.codes
            continue
        for position in range(max(1, items - length), items):
            prompt = shape.history(min(position, config.export.history_length))
            reading.add(users, prompt + shape.codes - 1)
            targets += users * shape.codes
    sampled, all_tokens = config.sft.sampled_negatives, counting.item_tokens
    in_batch = config.sft.batch_size * targets / max(reading.prompts, 1)
    among = min(sampled + in_batch, all_tokens) if sampled else all_tokens
    reading.scores, reading.embedded = targets * among, targets
    return reading


def _rows_of_user(items: int, most: int, config: Config) -> Iterator[int]:
    """Items in each row of a user of so many items, as `export.transform` cuts them."""
    for piece in range(config.export.sequences_per_user):
        left = items - piece * config.export.sequence_length
        if left >= 2:
            yield min(left, most)


def _add_dialogue(reading: Reading, counting: Counting, items: int, users: float) -> None:
    """All prompts of users of so many items: those that show the same first item share a history,
    and each has a question of its own.
    """
    shape, length = counting.generator, counting.config.export.history_length
    sharing = min(items - 1, length)
    questions = (sharing - 1) * shape.question + sharing * (shape.codes - 1)
    reading.add(users, shape.history(sharing) + questions)
    alone = items - 1 - sharing
    reading.add(users * alone, shape.history(length) + shape.codes - 1, prompts=0)


def _discriminator_training(counting: Counting) -> tuple[Reading, Reading]:
    """One pass over the labelled candidates, and the search for hard negatives before it."""
    export, shape = counting.config.export, counting.discriminator
    training, hard = Reading(), Reading()
    for items, users in counting.trained_lengths():
        for position in range(max(1, items - export.positives_per_user), items):
            shown = min(position, export.history_length)
            candidates = 1 + export.negatives_per_positive
            training.add(users, shape.history(shown) + candidates * shape.request)
            if export.negatives == "generator" and export.hard_negatives_share:
                _rank(hard, counting, users, shown, export.hard_negatives_from)
    training.embedded = training.tokens
    return training, hard


def _generation(counting: Counting) -> Readings:
    config, users, items = counting.config, Reading(), Reading()
    for number, count in enumerate(counting.log.lengths, start=1):
        _rank(
            users, counting, count, min(number, config.generator_history), config.generate.per_user
        )
    if config.generate.per_item:
        _rank(items, counting, counting.log.items, 1, config.generate.per_item)
    yield "items for users", users, 1
    yield "items for items", items, 1


def _rank(reading: Reading, counting: Counting, rows: float, shown: int, wanted: int) -> None:
    """The generator ranks the catalogue after histories: by the prompt alone with a token an item,
    else with one more token a beam for each further code.
    """
    shape = counting.generator
    prompt = shape.history(shown)
    reading.add(rows, prompt, counting.item_tokens)
    for level in range(1, shape.codes):
        # The first code alone has no more children than there are codes.
        beams = min(BEAMS_PER_PROPOSAL * wanted, CODE_SIZE**level, counting.log.items)
        reading.add_beams(rows, beams, prompt + level, counting.item_tokens)


def _discrimination(counting: Counting) -> Readings:
    config, shape, log = counting.config, counting.discriminator, counting.log
    candidates, real = Reading(), Reading()
    history_length = config.export.history_length
    for number, users in enumerate(log.lengths, start=1):
        asked = min(config.generate.per_user, max(log.items - number, 0))
        _score(candidates, shape, users, min(number, history_length), asked)
        if config.discriminate.score_real:
            length = min(number, config.export.sequence_length)
            for shown, scored in _windows(length, history_length):
                _score(real, shape, users, shown, scored)
    yield "score candidates", candidates, 1
    yield "score real interactions", real, 1


def _windows(items: int, history_length: int) -> Iterator[tuple[int, int]]:
    """Items shown and items scored in each window over a history, as
    `discriminate.transform.real_requests` cuts them.
    """
    step = max(history_length // 2, 1)
    for window in range(max(math.ceil((items - 1 - history_length) / step), 0) + 1):
        start = window * step
        first = start + history_length - step + 1 if window else 0
        last = min(start + history_length, items - 1)
        yield last - start, last - first + 1


def _score(reading: Reading, shape: PromptShape, rows: float, shown: int, asked: float) -> None:
    """The discriminator scores candidates, which share a history as long as a tree has room."""
    if not asked:
        return
    history = shape.history(shown)
    in_a_tree = max((TREE_TOKENS - history) // shape.request, 1)
    trees = math.ceil(asked / in_a_tree)
    reading.add(rows * trees, history + asked / trees * shape.request, asked / trees, prompts=rows)


def _times(reading: Reading, passes: float) -> Reading:
    return Reading(
        **{name: passes * value for name, value in vars(reading).items()},
    )


WORKS: Mapping[str, Callable[[Counting], Readings]] = {
    "sft": _fine_tuning,
    "generate": _generation,
    "discriminate": _discrimination,
}
"""The stages that are counted."""
