"""Training examples of Beauty as stage `export` makes them by default, without Spark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from llm_i2i_spark.config.config import Config
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.sft.examples import GeneratorRow, LabelledCandidates
from tests.benchmarks.report import LeftOut
from tests.benchmarks.swing.logs import SHARED

HELD_OUT = 2
"""Latest clicks of a user that are not trained on: test and validation."""


def catalogue() -> dict[str, str]:
    """Text by item id.

    Raises:
        LeftOut: the log is not on this machine.
    """
    items = _read("items")
    parts = [
        pc.fill_null(items[name].cast("string"), "") for name in ("title", "brand", "category")
    ]
    texts = pc.binary_join_element_wise(*parts, " | ").to_pylist()
    return dict(zip(items["item_id"].cast("string").to_pylist(), texts, strict=True))


def histories() -> list[list[str]]:
    """Item ids of each user, oldest first, those held out left off."""
    log = _read("interactions").sort_by([("user_id", "ascending"), ("pos", "ascending")])
    users = log["user_id"].to_numpy()
    items = log["item_id"].cast("string").to_pylist()
    ends = [*np.flatnonzero(np.diff(users)) + 1, len(users)]
    starts = [0, *ends[:-1]]
    return [items[start : end - HELD_OUT] for start, end in zip(starts, ends, strict=True)]


def generator_rows(
    users: Sequence[Sequence[str]], texts: Mapping[str, str], config: Config
) -> Iterator[GeneratorRow]:
    """Every user's latest items, all of them targets."""
    for user, items in enumerate(users):
        targets = [Item(item, texts[item]) for item in items[-config.export.sequence_length :]]
        yield GeneratorRow(str(user), [], targets, [1.0] * len(targets))


def candidates(
    users: Sequence[Sequence[str]], texts: Mapping[str, str], config: Config
) -> list[LabelledCandidates]:
    """Every user's latest items, each among items drawn at random."""
    export, ids, draw = config.export, sorted(texts), np.random.default_rng(0)
    groups = []
    for user, items in enumerate(users):
        for position in range(max(1, len(items) - export.positives_per_user), len(items)):
            others = draw.integers(0, len(ids), export.negatives_per_positive)
            chosen = [items[position], *(ids[number] for number in others)]
            shown = items[max(0, position - export.history_length) : position]
            history, asked = ([Item(one, texts[one]) for one in part] for part in (shown, chosen))
            labels = [True, *[False] * len(others)]
            groups.append(LabelledCandidates(str(user), history, asked, labels, 1.0, position))
    return groups


def _read(name: str) -> pq.Table:
    path = SHARED / "data" / f"beauty_{name}.parquet"
    if not path.is_file():
        raise LeftOut(f"the measuring data (../shared/data/{path.name}) is not on this machine")
    return pq.read_table(path)
