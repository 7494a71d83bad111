"""Stage combine on Delta tables: what language models propose counts only as far as those models
have not seen what is to be predicted.
"""

from __future__ import annotations

import pytest

from llm_i2i_spark.combine import execute
from llm_i2i_spark.combine.stage import STAGE
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.tables import Lake
from tests.stage_runs import put_rows, run_stage

pytestmark = pytest.mark.spark
USERS, ITEMS = 24, 8
HELD_BACK, BASE = "base_held_back", "base"


def last_item(user: int) -> int:
    """Three items on from the one before it, a step that no earlier click makes."""
    return (user + 4) % ITEMS


def fused() -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for name in ("real", "llm_i2i"):
        for user in range(USERS):
            items = (user % ITEMS, (user + 1) % ITEMS, last_item(user))
            for place, item in enumerate(items):
                row = (f"u{user}", f"i{item}", 1.0, "real", None, None, place)
                rows.append((name, *row))
                if place < 2:
                    rows.append((f"{name}_held_back", *row))
    return rows


def proposed(branch: str, step: int, log_prob: float) -> list[tuple[object, ...]]:
    """After every item the one so many items on."""
    return [
        (branch, f"i{item}", f"i{(item + step) % ITEMS}", 1, log_prob, "m", "p", "d")
        for item in range(ITEMS)
    ]


@pytest.fixture
def trained(spark, tmp_path, monkeypatch):
    """Writes `item_candidates` and runs the part of the stage with Spark; the table's mixture and
    the examples. The process after it only reads these.
    """
    config = load_config([], [f"lake.root={tmp_path}/lake"])
    lake = Lake(spark, config.lake)
    reads = {
        "fused": put_rows(lake, config, "fused", fused()),
        "items": put_rows(lake, config, "items", [(f"i{n}", "", "", "", "", {}) for n in range(8)]),
        "item_stats": put_rows(
            lake, config, "item_stats", [(f"i{n}", 9, 9, n + 1, n >= 6) for n in range(ITEMS)]
        ),
        "item_features": put_rows(lake, config, "item_features", [("i0", [1.0, 0.0])]),
    }
    monkeypatch.setattr(execute, "launch", lambda *arguments, **options: None)

    def train(rows, *variants: str):
        version = put_rows(lake, config, "item_candidates", rows)
        scopes = [{"variant": name, "backbone": "blend"} for name in variants]
        run_stage(STAGE, lake, config, {**reads, "item_candidates": version}, scopes)
        mixture = {
            (row["variant"], row["component"], row["least_clicks"]): row["weight"]
            for row in lake.read("mixtures").collect()
        }
        return mixture, sorted(map(str, lake.read("combiner_examples").collect()))

    return train


def test_proposals_count_only_of_models_that_have_not_seen_what_is_to_be_predicted(trained) -> None:
    unlike = proposed(HELD_BACK, step=5, log_prob=-2.0)
    mixture, examples = trained(unlike, "llm_i2i")
    # The full branch knows every answer.
    planted = trained([*unlike, *proposed(BASE, step=3, log_prob=-0.01)], "llm_i2i")
    assert planted == (mixture, examples)
    known, _ = trained(proposed(HELD_BACK, step=3, log_prob=-0.01), "real", "llm_i2i")
    of_generator = ("llm_i2i", "generated", 4)  # every item has six clicks
    assert known[of_generator] > 0.5 > mixture[of_generator]
    names = {name: {key[1] for key in known if key[0] == name} for name in ("real", "llm_i2i")}
    assert names["llm_i2i"] - names["real"] == {"generated"}
