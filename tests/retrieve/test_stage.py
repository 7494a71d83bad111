"""Stage retrieve on Delta tables: against brute force, and nothing that models may not see has a
part in it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.sections.sft import SftConfig
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.lm.checkpoint import load_checkpoint, save_checkpoint
from llm_i2i_spark.lm.history_states import history_states, item_directions
from llm_i2i_spark.lm.new_model import build_model
from llm_i2i_spark.lm.vocabulary import ItemVocabulary
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.prompts.templates import GENERATOR
from llm_i2i_spark.retrieve.stage import STAGE
from tests.stage_runs import put_rows, run_stage

pytestmark = [pytest.mark.spark, pytest.mark.lm]

USERS, ITEMS, CLICKS = 24, 30, 6
BASE = {"branch": "base"}
NEIGHBORS, WEIGHT, TEMPERATURE = 8, 0.25, 0.05
SETTINGS = (
    f"retrieve.neighbors={NEIGHBORS}",
    "retrieve.per_user=5",
    "retrieve.partitions=2",
    "export.sequence_length=10",
)
Log = list[tuple[Any, ...]]
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Folder and digest of a generator that knows all items but the last."""
    folder = tmp_path_factory.mktemp("model") / "generator"
    vocabulary = ItemVocabulary.atomic(sorted(f"i{n}" for n in range(ITEMS - 1)))
    features = np.random.default_rng(1).normal(size=(ITEMS - 1, 6)).astype(np.float32)
    sizes = SftConfig(hidden_size=16, heads=2, intermediate_size=16)
    built = build_model(sizes, ITEMS - 1, features, None, 5).eval()
    fields = {"role": "generator", "max_items": 10, "max_length": 64}
    return str(folder), save_checkpoint(folder, built, vocabulary, None, fields)


def log(last: Callable[[int], int] = lambda user: user % 7) -> Log:
    """Users of six clicks in train, one in valid and one in test, these given by the number of the
    user.
    """
    rows = []
    for user in range(USERS):
        items = [(user * 7 + step * (1 + user % 3)) % 20 for step in range(CLICKS)]
        items += [20 + last(user), ITEMS - 1]
        folds = ["train"] * CLICKS + ["valid", "test"]
        for position, (item, fold) in enumerate(zip(items, folds, strict=True)):
            rows.append((f"u{user}", f"i{item}", None, position, "click", 1.0, fold))
    return rows


def text(item: int) -> str:
    return f"title {item} | brand {item % 3}"


def retrieved(
    spark: SparkSession,
    folder: Path,
    model: tuple[str, str],
    rows: Log,
    *settings: str,
    pieces: int = 1,
) -> Rows:
    """What the stage writes, sorted by key."""
    config = load_config([], [f"lake.root={folder}", *SETTINGS, *settings])
    lake = Lake(spark, config.lake)
    items = [(f"i{n}", f"title {n}", f"brand {n % 3}", None, text(n), {}) for n in range(ITEMS)]
    path, digest = model
    checkpoint = [("base", "generator", digest, path, "compact", 0, "{}")]
    versions = {
        "interactions": put_rows(lake, config, "interactions", rows),
        "items": put_rows(lake, config, "items", items),
        "checkpoints": put_rows(lake, config, "checkpoints", checkpoint),
    }
    if pieces > 1:
        again = lake.read("interactions").repartition(pieces)
        versions["interactions"] = put_rows(lake, config, "interactions", again)
    run_stage(STAGE, lake, config, versions, [BASE])
    keys = {"in_context_examples": ["example_id"], "retrieved": ["user_id", "rank"]}
    return {
        table: [row.asDict(recursive=True) for row in lake.read(table).orderBy(*key).collect()]
        for table, key in keys.items()
    }


@pytest.fixture(scope="module")
def found(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, model: tuple[str, str]
) -> Rows:
    return retrieved(
        spark, tmp_path_factory.mktemp("strict"), model, log(), "split.protocol=strict"
    )


def train_histories() -> dict[str, list[str]]:
    histories: dict[str, list[str]] = {}
    for user, item, _, _, _, _, fold in log():
        if fold == "train":
            histories.setdefault(user, []).append(item)
    return histories


def brute_force(model: tuple[str, str]) -> dict[str, list[tuple[float, str, str]]]:
    """By user, similarity, user and item of every example of other users, the most similar first,
    in fp64 and one history at a time.
    """
    checkpoint = load_checkpoint(model[0], GENERATOR, "cpu")

    def state(history: list[str]) -> np.ndarray:
        return history_states(checkpoint, [[Item(item, "") for item in history]], 64)[0].astype(
            float
        )

    def placed(item: str) -> np.ndarray:
        index = checkpoint.vocabulary.index(item)
        return item_directions(checkpoint, np.array([index]))[0].astype(float)

    histories = train_histories()
    examples = []
    for user, items in histories.items():
        for step in range(1, len(items)):
            before = items[:step]
            reason = max(before, key=lambda item: placed(item) @ placed(items[step]))
            examples.append((user, items[step], state(before), placed(reason)))
    found = {}
    for user, items in histories.items():
        own_state, mean = state(items), sum(placed(item) for item in items)
        mean = mean / np.linalg.norm(mean)
        similar = [
            ((1 - WEIGHT) * own_state @ of_state + WEIGHT * mean @ of_reason, other, item)
            for other, item, of_state, of_reason in examples
            if other != user
        ]
        found[user] = sorted(similar, reverse=True)[:NEIGHBORS]
    return found


def test_retrieved_are_the_nearest_examples_and_their_votes(found: Rows, model: Any) -> None:
    wanted, histories = brute_force(model), train_histories()
    owner = {row["example_id"]: row["user_id"] for row in found["in_context_examples"]}
    target = {row["example_id"]: row["item_id"] for row in found["in_context_examples"]}
    assert len(owner) == USERS * (CLICKS - 1)
    for user, nearest in wanted.items():
        rows = [row for row in found["retrieved"] if row["user_id"] == user]
        weights = np.exp(np.array([similarity for similarity, _, _ in nearest]) / TEMPERATURE)
        shares: dict[str, float] = {}
        for weight, (_, _, item) in zip(weights / weights.sum(), nearest, strict=True):
            shares[item] = shares.get(item, 0.0) + weight
        open_items = shares.keys() - set(histories[user])
        assert {row["item_id"] for row in rows} <= open_items
        assert len(rows) == min(len(open_items), 5)
        for row in rows:
            # Vectors are rounded to about twelve bits; e^(1e-3 / temperature) is 1.02.
            assert row["share"] == pytest.approx(shares[row["item_id"]], rel=0.05)
            assert sum(vote["share"] for vote in row["votes"]) == pytest.approx(row["share"])
            for vote in row["votes"]:
                assert owner[vote["example_id"]] != user
                assert target[vote["example_id"]] == row["item_id"]


def test_an_example_says_why_in_words(found: Rows) -> None:
    histories = train_histories()
    for row in found["in_context_examples"]:
        history = histories[row["user_id"]]
        step = int(row["example_id"].split("|")[1])
        assert history[step] == row["item_id"]
        assert row["reason_id"] in history[:step]
        taken, reason = int(row["item_id"][1:]), int(row["reason_id"][1:])
        same = f": the same brand {taken % 3}" if taken % 3 == reason % 3 else ""
        assert row["reasoning"] == f"title {taken} follows from title {reason}{same}."


def test_partitions_of_the_log_change_no_bit(spark, tmp_path, model, found: Rows) -> None:
    again = retrieved(spark, tmp_path, model, log(), "split.protocol=strict", pieces=5)
    assert again == found


def test_nothing_that_is_held_out_or_held_back_has_a_part_in_it(
    spark, tmp_path, model, found: Rows
) -> None:
    other = log(lambda user: (user + 3) % 5)
    assert retrieved(spark, tmp_path / "strict", model, other, "split.protocol=strict") == found
    # The same comparison finds the leak where the validation fold is seen, unless it is held back.
    refit = ("split.protocol=refit", "split.holdout=last_2")
    seen = [
        retrieved(spark, tmp_path / f"refit {n}", model, rows, *refit)
        for n, rows in enumerate((log(), other))
    ]
    assert seen[0] != seen[1]
    held_back = retrieved(spark, tmp_path / "back", model, other, *refit, "split.hold_back=1")
    assert held_back == found


def test_examples_are_the_same_draw_for_any_number_of_them(
    spark, tmp_path, model, found: Rows
) -> None:
    strict, few = "split.protocol=strict", "retrieve.examples=10"
    rows = retrieved(spark, tmp_path, model, log(), strict, few)
    drawn = {row["example_id"] for row in rows["in_context_examples"]}
    assert len(drawn) == 10
    assert drawn < {row["example_id"] for row in found["in_context_examples"]}
    lone = [row for row in log() if row[3] == 0]
    with pytest.raises(InputDataError, match="leave out variant llm_cf"):
        retrieved(spark, tmp_path / "lone", model, lone, strict)
