"""Training examples: histories never see their target, weights follow the long tail, negatives are
not owned.
"""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from llm_i2i_spark.export.negatives import index_items
from llm_i2i_spark.export.transform import (
    dialogue_examples,
    discriminator_examples,
    instruct_examples,
    mark_calibration,
    sequence_examples,
    user_sequences,
)
from llm_i2i_spark.lake.user_histories import build_histories, owned_items, sample_users

pytestmark = pytest.mark.spark

LONG_TAIL = {"i1", "i7"}
POPULAR = (3, 12)


def _weight(position: int) -> float:
    """Of the interaction at a place of a user's history."""
    return 0.25 if position % 2 else 1.0


@pytest.fixture
def interactions(spark: SparkSession) -> DataFrame:
    rows = [
        (
            f"u{u}",
            f"i{(u * 3 + p) % 20}",
            p,
            "train" if p < 5 else "valid" if p == 5 else "test",
            _weight(p),
        )
        for u in range(40)
        for p in range(7)
    ]
    return spark.createDataFrame(
        rows, "user_id string, item_id string, position int, fold string, weight double"
    )


@pytest.fixture
def items(spark: SparkSession) -> DataFrame:
    rows = [(f"i{n}", f"item number {n}", 81 if n in POPULAR else 1) for n in range(20)]
    return spark.createDataFrame(rows, "item_id string, text string, n_interactions bigint")


@pytest.fixture
def users(spark: SparkSession, interactions: DataFrame, items: DataFrame) -> DataFrame:
    stats = spark.createDataFrame(
        [(f"i{n}", f"i{n}" in LONG_TAIL) for n in range(20)], "item_id string, is_long_tail boolean"
    )
    histories = build_histories(interactions, items, ("train",), 6, ["weight"])
    return mark_calibration(user_sequences(histories, stats, 4.0, 1.0), 0.3, seed=1).cache()


def test_histories_hold_the_latest_rows_of_the_given_folds_in_order(
    interactions: DataFrame, items: DataFrame
) -> None:
    found = {
        row["user_id"]: [e["item_id"] for e in row["history"]]
        for row in build_histories(interactions, items, ("train",), 3).collect()
    }
    assert found["u0"] == ["i2", "i3", "i4"]
    assert len(found) == 40
    owned = {
        row["user_id"]: row["owned"]
        for row in owned_items(interactions, ("train", "valid")).collect()
    }
    assert owned["u0"] == sorted(f"i{n}" for n in range(6))


def test_sequence_rows_weigh_long_tail_targets_and_leave_the_withheld_item_out(
    users: DataFrame,
) -> None:
    rows = sequence_examples(users, sequence_length=4, sequences=1).collect()
    withheld = {
        row["user_id"]: row["targets"][0]["item_id"]
        for row in rows
        if row["split"] == "calibration"
    }
    assert 4 <= len(withheld) <= 20
    for row in rows:
        items = [target["item_id"] for target in row["targets"]]
        if row["split"] == "train":
            assert row["history"] == []
            assert 2 <= len(items) <= 4
            assert withheld.get(row["user_id"]) not in items
        else:
            assert len(row["history"]) == 4
        user = int(row["user_id"][1:])
        for target in row["targets"]:
            (place,) = [p for p in range(7) if target["item_id"] == f"i{(user * 3 + p) % 20}"]
            of_tail = 4.0 if target["item_id"] in LONG_TAIL else 1.0
            assert target["loss_weight"] == of_tail * _weight(place)
            assert sorted(target.asDict()) == ["item_id", "loss_weight", "text"]
    calibration = next(row for row in rows if row["split"] == "calibration")
    train = next(
        row for row in rows if row["split"] == "train" and row["user_id"] == calibration["user_id"]
    )
    assert [e["item_id"] for e in calibration["history"]] == [
        t["item_id"] for t in train["targets"]
    ][-4:]


def test_instruct_rows_show_only_what_lies_before_the_target(users: DataFrame) -> None:
    sequences = {row["user_id"]: [e["item_id"] for e in row["sequence"]] for row in users.collect()}
    rows = [row for row in instruct_examples(users, 3).collect() if row["split"] == "train"]
    assert len(rows) == sum(len(items) - 1 for items in sequences.values())
    for row in rows:
        position = int(row["example_id"].split("|")[-1])
        items = sequences[row["user_id"]]
        assert [e["item_id"] for e in row["history"]] == items[max(0, position - 3) : position]
        assert [e["item_id"] for e in row["targets"]] == [items[position]]


def test_dialogue_rows_have_the_targets_of_instruct_rows_after_the_same_items(
    users: DataFrame,
) -> None:
    def rows(frame: DataFrame, split: str) -> dict[str, list[Any]]:
        return {row["example_id"]: row for row in frame.where(f"split = '{split}'").collect()}

    one_by_one, together = instruct_examples(users, 3), dialogue_examples(users, 6, 3, sequences=1)
    assert rows(together, "calibration") == rows(one_by_one, "calibration")
    targets = {
        f"{row['user_id']}|train|{place:06d}": (row["targets"][max(0, place - 3) : place], one)
        for row in rows(together, "train").values()
        for place, one in enumerate(row["targets"])
        if place
    }
    alone = rows(one_by_one, "train")
    assert targets.keys() == alone.keys()
    for example_id, (before, target) in targets.items():
        assert [target] == alone[example_id]["targets"]
        shown = [entry["item_id"] for entry in alone[example_id]["history"]]
        assert [entry["item_id"] for entry in before] == shown


def test_a_history_is_cut_into_rows_of_which_the_latest_are_whole(users: DataFrame) -> None:
    whole = {
        row["user_id"]: [entry["item_id"] for entry in row["sequence"]] for row in users.collect()
    }

    def cut(frame: DataFrame) -> dict[str, list[str]]:
        """Items of each row, by example."""
        found = frame.where("split = 'train'").collect()
        rows = {row["example_id"]: [one["item_id"] for one in row["targets"]] for row in found}
        assert len(rows) == len(found)
        return rows

    assert cut(sequence_examples(users, 2, sequences=2)) == {
        f"{user}|train{name}": items[max(0, end - 2) : end]
        for user, items in whole.items()
        for name, end in (("", len(items)), ("|1", len(items) - 2))
    }
    assert {len(items) for items in whole.values()} == {4, 5}  # of four, two rows of two
    many = cut(sequence_examples(users, 2, sequences=9))
    assert many == cut(sequence_examples(users, 2, sequences=2))  # a row of one item is none
    # Each item but the first is a target once, and the one before a row is shown by it.
    together = cut(dialogue_examples(users, 2, 3, sequences=2))
    assert together == {
        f"{user}|train{name}": items[max(0, end - 3) : end]
        for user, items in whole.items()
        for name, end in (("", len(items)), ("|1", len(items) - 2))
    }


def test_discriminator_rows_have_observed_positives_and_unowned_negatives(
    users: DataFrame, items: DataFrame
) -> None:
    rows = discriminator_examples(
        users, items, 3, positives=2, negatives=4, popular=1, seed=3
    ).collect()
    sequences = {row["user_id"]: [e["item_id"] for e in row["sequence"]] for row in users.collect()}
    assert len({row["example_id"] for row in rows}) == len(rows)
    for row in rows:
        items_of_user = sequences[row["user_id"]]
        candidate = row["candidate"]["item_id"]
        assert [e["item_id"] for e in row["history"]] == items_of_user[
            max(0, row["position"] - 3) : row["position"]
        ]
        assert (
            (candidate == items_of_user[row["position"]])
            if row["label"]
            else (candidate not in items_of_user)
        )
        user = int(row["user_id"][1:])
        observed = items_of_user[row["position"]]
        (place,) = [p for p in range(7) if observed == f"i{(user * 3 + p) % 20}"]
        assert row["weight"] == _weight(place)
    assert sum(row["label"] for row in rows) == 80
    assert sum(not row["label"] for row in rows) > 150


def test_an_item_without_a_click_is_a_negative_only_if_it_has_no_text(
    users: DataFrame, items: DataFrame
) -> None:
    new = items.withColumn(
        "n_interactions", F.when(F.col("item_id").isin("i5", "i6"), 0).otherwise(1)
    ).withColumn("text", F.when(F.col("item_id") == "i6", "i6").otherwise(F.col("text")))
    rows = discriminator_examples(users, new, 3, 2, 8, popular=0, seed=3).where("not label")
    drawn = {row["candidate"]["item_id"] for row in rows.collect()}
    assert "i5" not in drawn
    assert "i6" in drawn


def test_popular_negatives_are_drawn_in_proportion_to_a_power_of_the_clicks(
    users: DataFrame, items: DataFrame
) -> None:
    """81^.75 = 27 places each for two items, one for each of the other 18."""

    def popular_share(popular: int) -> float:
        rows = discriminator_examples(users, items, 3, 2, 1, popular, seed=3)
        drawn = [row["candidate"]["item_id"] for row in rows.where("not label").collect()]
        assert len(drawn) > 30
        return sum(item_id in {f"i{n}" for n in POPULAR} for item_id in drawn) / len(drawn)

    # A user has 5 of the 20 items in training, so some draws of popular ones are left out.
    assert popular_share(0) < 0.25 < 0.6 < popular_share(1) < 0.85


def test_only_the_last_negatives_are_popular_ones(users: DataFrame, items: DataFrame) -> None:
    def by_id(popular: int) -> dict[str, str]:
        rows = discriminator_examples(users, items, 3, 2, 4, popular, seed=3).collect()
        return {row["example_id"]: row["candidate"]["item_id"] for row in rows}

    plain, mixed = by_id(0), by_id(1)
    early = {name for name in plain if not name.endswith("004")}
    assert {name: mixed.get(name) for name in early} == {name: plain[name] for name in early}
    assert any(mixed[name] != plain[name] for name in plain.keys() & mixed.keys() - early)


def test_an_export_without_any_click_has_no_popular_negatives(
    users: DataFrame, items: DataFrame
) -> None:
    unclicked = items.withColumn("n_interactions", F.lit(0))
    rows = discriminator_examples(users, unclicked, 3, 2, 1, popular=1, seed=3)
    assert rows.where("not label").isEmpty()
    assert not rows.where("label").isEmpty()


def test_examples_do_not_depend_on_partitions(users: DataFrame, items: DataFrame) -> None:
    def rows(shuffled: DataFrame) -> list[str]:
        return sorted(
            str(row)
            for row in discriminator_examples(
                shuffled, items.repartition(5), 3, 2, 4, popular=2, seed=3
            ).collect()
        )

    assert rows(users) == rows(users.repartition(7))


def test_a_sample_has_all_rows_of_as_many_users_and_others_with_another_seed(
    interactions: DataFrame,
) -> None:
    def users(rows: DataFrame, seed: int) -> dict[str, int]:
        counts = sample_users(rows, 15, seed).groupBy("user_id").count().collect()
        return {row["user_id"]: row["count"] for row in counts}

    found = users(interactions, 1)
    assert list(found.values()) == [7] * 15
    assert users(interactions.repartition(5), 1) == found
    assert users(interactions, 2) != found


def test_items_have_indices_without_gaps(items: DataFrame) -> None:
    first = {row["item_id"]: row["item_idx"] for row in index_items(items).collect()}
    assert sorted(first.values()) == list(range(20))
    assert first == {
        row["item_id"]: row["item_idx"] for row in index_items(items.repartition(9)).collect()
    }
