"""Examples that are read batch by batch are those that the rows say, in the order of their keys."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pytest

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.sft.catalogue import Catalogue
from llm_i2i_spark.sft.examples import (
    GeneratorRow,
    LabelledCandidates,
    generator_rows,
    labelled_candidates,
)
from llm_i2i_spark.sft.known_items import KnownItems
from llm_i2i_spark.sft.user_sample import rows_of_some_users

# Ids whose order is not that of their numbers, and not the same with "|" behind them.
ITEMS = [Item(f"i{n}", "" if n == 3 else f"title {n}") for n in range(12)]
USERS = ["u", "u-1", "u~1", "é", *(f"u{n}" for n in range(8))]
NEVER_CLICKED = ITEMS[11]


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue(dict(ITEMS))


def in_batches(rows: list[dict[str, Any]], seed: int) -> list[pa.RecordBatch]:
    """The rows in any order, three a batch."""
    shuffled = random.Random(seed).sample(rows, len(rows))
    whole = pa.Table.from_pylist(shuffled)
    return whole.to_batches(max_chunksize=3)


def generator_table() -> list[dict[str, Any]]:
    draw = random.Random(5)
    return [
        {
            "example_id": f"{user}|{split}|{number:06}",
            "user_id": user,
            "split": split,
            "history": [item._asdict() for item in draw.sample(ITEMS[:11], draw.randint(0, 4))],
            "targets": [
                {**item._asdict(), "loss_weight": draw.random()}
                for item in draw.sample(ITEMS[:11], draw.randint(1, 3))
            ],
        }
        for user in USERS
        for split in ("train", "calibration")
        for number in range(draw.randint(1, 3))
    ]


def items_of(entries: list[dict[str, Any]]) -> list[Item]:
    return [Item(entry["item_id"], entry["text"]) for entry in entries]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("split", ["train", "calibration"])
def test_rows_of_a_split_come_by_their_example_ids(catalogue, split, seed) -> None:
    table = generator_table()
    expected = [
        GeneratorRow(
            row["user_id"],
            items_of(row["history"]),
            items_of(row["targets"]),
            [entry["loss_weight"] for entry in row["targets"]],
        )
        for row in sorted(table, key=lambda row: row["example_id"].encode())
        if row["split"] == split
    ]
    found = generator_rows(in_batches(table, seed), split, catalogue)
    assert list(found) == expected
    assert list(found[1::3]) == expected[1::3]
    assert found[-1] == expected[-1]
    assert [[catalogue.item_ids[n] for n in numbers] for numbers in found.item_numbers()] == [
        [item.item_id for item in (*row.history, *row.targets)] for row in expected
    ]


def test_what_users_have_is_all_but_what_is_withheld(catalogue) -> None:
    table = generator_table()
    expected: dict[str, set[str]] = {user: set() for user in USERS}
    for row in table:
        entries = row["history"] + (row["targets"] if row["split"] == "train" else [])
        expected[row["user_id"]] |= {entry["item_id"] for entry in entries}
    for chosen in (USERS, USERS[::3]):
        known = KnownItems(in_batches(table, 1), catalogue, pa.array(chosen * 2))
        assert dict(known) == {user: expected[user] for user in chosen}
        assert known.get("nobody", set()) == set()
        assert known.new_items() == {NEVER_CLICKED.item_id}


def test_nobody_has_anything(catalogue) -> None:
    assert dict(KnownItems([], catalogue, pa.array(["u"]))) == {"u": set()}
    assert len(generator_rows([], "train", catalogue)) == 0


def test_some_users_have_about_so_many_examples() -> None:
    users = [f"user {number}" for number in range(4000)]
    rows = pa.table({"user_id": users * 2, "split": ["train"] * 4000 + ["calibration"] * 4000})

    def drawn(most: int | None, seed: int = 1, size: int = 999) -> list[str]:
        def read(columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
            return iter(rows.select(columns or rows.column_names).to_batches(max_chunksize=size))

        batches = rows_of_some_users(read, most, "split", "train", seed)
        return [row["user_id"] for batch in batches for row in batch.to_pylist()]

    assert drawn(None) == drawn(4000) == rows["user_id"].to_pylist()
    found = drawn(1000)
    # Of 4,000 users a quarter, with a standard deviation of 27.
    assert abs(len(set(found)) - 1000) < 110
    assert len(found) == 2 * len(set(found))
    assert drawn(1000, size=7) == found
    assert abs(len(set(found) & set(drawn(1000, seed=2))) - 250) < 60


def candidate_table() -> list[dict[str, Any]]:
    draw, table = random.Random(6), []
    for user in USERS:
        for position in range(1, draw.randint(2, 4)):
            history = draw.sample(ITEMS, draw.randint(1, 4))
            weight = draw.choice([None, 0.25, 1.0])
            for sample, item in enumerate(draw.sample(ITEMS, draw.randint(1, 5))):
                table.append(
                    {
                        "example_id": f"{user}|{position:06}|{sample:03}",
                        "user_id": user,
                        "position": position,
                        "history": [one._asdict() for one in history],
                        "candidate": item._asdict(),
                        "label": sample == 0,
                        "weight": weight,
                    }
                )
    return table


@pytest.mark.parametrize("seed", [1, 2])
def test_candidates_come_by_user_and_position(catalogue, seed) -> None:
    table = candidate_table()
    groups: dict[tuple[bytes, int], list[dict[str, Any]]] = {}
    for row in sorted(table, key=lambda row: row["example_id"].encode()):
        groups.setdefault((row["user_id"].encode(), row["position"]), []).append(row)
    expected = [
        LabelledCandidates(
            rows[0]["user_id"],
            items_of(rows[0]["history"]),
            items_of([row["candidate"] for row in rows]),
            [row["label"] for row in rows],
            1.0 if rows[0]["weight"] is None else rows[0]["weight"],
            position,
        )
        for (_, position), rows in sorted(groups.items())
    ]
    found = labelled_candidates(in_batches(table, seed), catalogue)
    assert list(found) == expected
    drawn = [[number % 11] for number in range(len(found[2:5]))]
    for old, new, (item,) in zip(
        expected[2:5], found[2:5].with_first_negatives(drawn), drawn, strict=True
    ):
        wanted = list(old.candidates)
        wanted[1:2] = [ITEMS[ITEMS.index(catalogue.items([item])[0])]] if len(wanted) > 1 else []
        assert new.candidates == wanted
    assert list(found) == expected


def test_an_item_that_the_catalogue_lacks_is_a_sentence() -> None:
    with pytest.raises(InputDataError, match=r"item 'i7', which table items does not hold"):
        labelled_candidates(
            [
                pa.RecordBatch.from_pylist(
                    [{**candidate_table()[0], "candidate": ITEMS[7]._asdict()}]
                )
            ],
            Catalogue(dict(item for item in ITEMS if item != ITEMS[7])),
        )
