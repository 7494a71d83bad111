"""Stage retrieve on Delta tables: against brute force, and nothing that models may not see has a
part in it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.sections.sft import SftConfig
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.tables import Lake, contract_schema
from llm_i2i_spark.lm.checkpoint import load_checkpoint, save_checkpoint
from llm_i2i_spark.lm.history_states import history_states, item_directions
from llm_i2i_spark.lm.new_model import build_model
from llm_i2i_spark.lm.vocabulary import ItemVocabulary
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.prompts.templates import GENERATOR
from llm_i2i_spark.retrieve.stage import STAGE
from llm_i2i_spark.retrieve.transform import draw_examples
from tests.stage_runs import put_rows, run_stage

pytestmark = [pytest.mark.spark, pytest.mark.lm]

USERS, ITEMS, CLICKS = 24, 30, 6
BASE = {"branch": "base"}
NEIGHBORS, WEIGHT, TEMPERATURE = 8, 0.25, 0.1
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


class Stage:
    """Runs of the stage on one lake, which has the catalogue and the checkpoint."""

    def __init__(self, spark: SparkSession, folder: Path, model: tuple[str, str]) -> None:
        self.settings = (f"lake.root={folder}", *SETTINGS)
        config = load_config([], self.settings)
        self.lake = Lake(spark, config.lake)
        items = [(f"i{n}", f"title {n}", f"brand {n % 3}", None, text(n), {}) for n in range(ITEMS)]
        checkpoint = [("base", "generator", model[1], model[0], "compact", 0, "{}")]
        self.versions = {
            "items": put_rows(self.lake, config, "items", items),
            "checkpoints": put_rows(self.lake, config, "checkpoints", checkpoint),
        }

    def run(self, rows: Log | DataFrame, *settings: str) -> Rows:
        """What the stage makes of a log, sorted by key."""
        config = load_config([], [*self.settings, *settings])
        log_version = put_rows(self.lake, config, "interactions", rows)
        versions = {**self.versions, "interactions": log_version}
        run_stage(STAGE, self.lake, config, versions, [BASE])
        keys = {"in_context_examples": ["example_id"], "retrieved": ["user_id", "rank"]}
        return {
            table: [
                row.asDict(recursive=True) for row in self.lake.read(table).orderBy(*key).collect()
            ]
            for table, key in keys.items()
        }


@pytest.fixture(scope="module")
def stage(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, model: tuple[str, str]
) -> Stage:
    return Stage(spark, tmp_path_factory.mktemp("lake"), model)


@pytest.fixture(scope="module")
def found(stage: Stage) -> Rows:
    return stage.run(log(), "split.protocol=strict")


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
        found[user] = sorted(similar, reverse=True)
    return found


def test_retrieved_are_the_nearest_examples_and_their_votes(found: Rows, model: Any) -> None:
    wanted, histories = brute_force(model), train_histories()
    owner = {row["example_id"]: row["user_id"] for row in found["in_context_examples"]}
    target = {row["example_id"]: row["item_id"] for row in found["in_context_examples"]}
    assert len(owner) == USERS * (CLICKS - 1)
    checked = 0
    for user, similar in wanted.items():
        nearest = similar[:NEIGHBORS]
        # Vectors are rounded to about twelve bits, so that nearer ones may change places.
        if nearest[-1][0] - similar[NEIGHBORS][0] < 1e-3:
            continue
        checked += 1
        rows = [row for row in found["retrieved"] if row["user_id"] == user]
        weights = np.exp(np.array([similarity for similarity, _, _ in nearest]) / TEMPERATURE)
        shares: dict[str, float] = {}
        for weight, (_, _, item) in zip(weights / weights.sum(), nearest, strict=True):
            shares[item] = shares.get(item, 0.0) + weight
        open_items = shares.keys() - set(histories[user])
        assert {row["item_id"] for row in rows} <= open_items
        assert len(rows) == min(len(open_items), 5)
        for row in rows:
            assert row["share"] == pytest.approx(shares[row["item_id"]], rel=0.05)
            assert sum(vote["share"] for vote in row["votes"]) == pytest.approx(row["share"])
            for vote in row["votes"]:
                assert owner[vote["example_id"]] != user
                assert target[vote["example_id"]] == row["item_id"]
    assert checked > USERS // 3


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


def test_neither_held_out_rows_nor_partitions_change_a_bit(
    spark: SparkSession, stage: Stage, found: Rows
) -> None:
    other = log(lambda user: (user + 3) % 5)
    schema = contract_schema(TABLES["interactions"])
    frame = spark.createDataFrame([(*row, None) for row in other], schema).repartition(5)
    assert stage.run(frame, "split.protocol=strict") == found


def test_a_planted_item_is_proposed_unless_its_clicks_are_held_back(
    stage: Stage, found: Rows
) -> None:
    """Nobody clicked the items from i20 on but in the validation fold, which `refit` shows."""
    planted = {f"i{n}" for n in range(20, ITEMS)}
    refit = ("split.protocol=refit", "split.holdout=last_2")
    assert stage.run(log(), *refit, "split.hold_back=1") == found
    seen = stage.run(log(), *refit)
    for table in ("in_context_examples", "retrieved"):
        assert not planted & {row["item_id"] for row in found[table]}
        assert planted & {row["item_id"] for row in seen[table]}


def test_without_a_step_the_user_is_told(stage: Stage) -> None:
    lone = [row for row in log() if row[3] == 0]
    with pytest.raises(InputDataError, match="leave out variant llm_cf"):
        stage.run(lone, "split.protocol=strict")


def test_examples_are_drawn_by_user_and_item_alone(spark: SparkSession) -> None:
    histories = [
        (user, [{"item_id": item, "text": item} for item in items])
        for user, items in train_histories().items()
    ]
    schema = "user_id string, history array<struct<item_id string, text string>>"
    frame = spark.createDataFrame(histories, schema)
    ids = {
        number: {row["example_id"] for row in draw_examples(frame, number, 7).collect()}
        for number in (10, 20, 1000)
    }
    assert [len(one) for one in ids.values()] == [10, 20, USERS * (CLICKS - 1)]
    assert ids[10] < ids[20] < ids[1000]
    again = draw_examples(frame.repartition(5), 10, 7).collect()
    assert {row["example_id"] for row in again} == ids[10]
    for row in again:
        items = train_histories()[row["user_id"]]
        step = int(row["example_id"].split("|")[1])
        assert [entry["item_id"] for entry in row["history"]] == items[:step]
        assert row["target"]["item_id"] == items[step]
