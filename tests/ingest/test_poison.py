"""The whole poison table in a log of 10^5 clean rows: all of it out, nothing else, and what the
clean rows become is the same.
"""

from __future__ import annotations

import json

import pytest
from pyspark.sql import SparkSession

from llm_i2i_spark import Project
from llm_i2i_spark.lake.sources import rows_digest
from llm_i2i_spark.prompts.render import clean_text
from tests.ingest.poison import GOOD_TIME, HUGE_TITLE, ODD, REFUSED, TITLES, click

pytestmark = pytest.mark.spark

CLEAN_ROWS, COPIES = 100_000, 40


def lines_of(rows: list[str]) -> bytes:
    return "\n".join(rows).encode() + b"\n"


@pytest.fixture(scope="module")
def lakes(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Project, list[str]]]:
    """A log of clean rows, and one in which the poison stands between them; each as a lake."""
    folder = tmp_path_factory.mktemp("poison")
    clean = [
        *ODD,
        *(click(f"u{n % 9_973}", f"i{n % 1_009}", GOOD_TIME + n) for n in range(CLEAN_ROWS)),
    ]
    refused = [row for rows in REFUSED.values() for row in rows] * COPIES
    step = len(clean) // len(refused)
    mixed = clean[: len(ODD)]
    for number, row in enumerate(refused):
        start = len(ODD) + number * step
        mixed += [row, *clean[start : start + step]]
    mixed += clean[len(ODD) + len(refused) * step :]
    items = [{"item_id": name, "title": title} for name, title in TITLES.items()]
    items += [{"item_id": "huge", "title": HUGE_TITLE}]
    (folder / "items.jsonl").write_bytes(lines_of([json.dumps(item) for item in items]))
    found = {}
    for name, rows in (("clean", clean), ("mixed", mixed)):
        (folder / f"{name}.jsonl").write_bytes(lines_of(rows))
        project = Project(
            folder / name, interactions=folder / f"{name}.jsonl", items=folder / "items.jsonl"
        )
        project.run(("real",), last="ingest")
        found[name] = project, rows
    return found


@pytest.mark.faults("F24", end="same")
def test_every_poison_row_is_refused_with_its_reason_and_no_clean_one(lakes) -> None:
    project, rows = lakes["mixed"]
    refused = project.table("quarantine").where("table = 'interactions'")
    counts = {row["reason"]: row["count"] for row in refused.groupBy("reason").count().collect()}
    assert counts == {reason: COPIES * len(planted) for reason, planted in REFUSED.items()}
    other, clean = lakes["clean"]
    assert len(rows) - sum(counts.values()) == len(clean) == CLEAN_ROWS + len(ODD)
    pairs = {(str(row["user_id"]), str(row["item_id"])) for row in map(json.loads, clean)}
    kept = project.table("interactions").select("user_id", "item_id").collect()
    assert set(map(tuple, kept)) == pairs
    assert len(kept) == len(clean)
    assert other.table("quarantine").where("table = 'interactions'").count() == 0


@pytest.mark.faults("F24", end="same")
def test_quarantined_rows_leave_every_table_as_it_is(lakes) -> None:
    # All that comes after is made of these.
    for table in ("interactions", "items", "item_stats"):
        clean, mixed = (rows_digest(lakes[name][0].table(table)) for name in ("clean", "mixed"))
        assert clean == mixed, table


@pytest.mark.faults("F24", end="same")
def test_titles_are_data(lakes) -> None:
    project, _ = lakes["mixed"]
    kept = {row["item_id"]: row for row in project.table("items").collect()}
    assert {name: kept[name]["title"] for name in TITLES} == TITLES
    assert kept["huge"]["title"] is None
    refused = project.table("quarantine").where("table = 'items'").collect()
    assert [(row["reason"], HUGE_TITLE in row["raw"]) for row in refused] == [
        ("title is too long", True)
    ]
    for name in TITLES:
        text = kept[name]["text"]
        assert 0 < len(text) <= 512
        assert "\n" not in text
        assert not set(clean_text(text)) & set("<>[]{}\x00\u200b\u202e\ufeff")
