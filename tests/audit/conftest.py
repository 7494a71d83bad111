"""A lake with a history: every table on the way was written before and after the versions that the
index was made from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.run_record import Run
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.config.i2i import SwingConfig
from llm_i2i_spark.fuse.transform import credible_real_rows, real_rows, score_confidence, soft_rows
from llm_i2i_spark.lake.tables import Lake, contract_schema
from llm_i2i_spark.prompts.templates import DISCRIMINATOR, GENERATOR, prompt_digest

Lists = Mapping[str, Mapping[str, float]]
Parts = dict[str, float]

GENERATOR, DISCRIMINATOR = "9e" * 32, "d1" * 32
CLICKS = {"u1": "ABC", "u2": "AC", "u3": "BD", "u4": "CDE", "u5": "AB", "u6": "ABE"}
SETTINGS = ("fuse.soft_weight_scale=0.1", "fuse.min_weight=0.01", "split.protocol=refit")
PROPOSED = {
    ("u2", "B"): (1, -1.5, 0.6, 0.08),
    ("u3", "A"): (2, -2.5, 0.4, 0.05),
    ("u4", "A"): (1, -0.5, 0.9, 0.3),
    ("u4", "B"): (3, -4.0, 0.2, 0.02),
}
"""(user, item) -> rank, log_prob, p_yes, calibrated confidence."""


@dataclass(frozen=True)
class History:
    """The lake, the settings it was made with, and the lists that each variant's similarities come
    from.
    """

    lake: Lake
    config: Config
    root: Path
    lists: dict[str, Lists]


def _brute_force(lists: Lists, item: str, neighbor: str, swing: SwingConfig) -> Parts:
    """Each user's half of every pair's term, straight from the definition."""
    weight = {user: (swing.a1 + sum(edges.values())) ** -swing.b for user, edges in lists.items()}
    both = [user for user, edges in lists.items() if item in edges and neighbor in edges]
    parts = dict.fromkeys(both, 0.0)
    for u, v in combinations(both, 2):
        strength = weight[u] * weight[v]
        for user in (u, v):
            strength *= lists[user][item] * lists[user][neighbor]
        term = strength / (swing.a2 + len(lists[u].keys() & lists[v].keys()))
        parts[u] += term / 2
        parts[v] += term / 2
    return parts


@pytest.fixture(scope="session")
def brute_force() -> Callable[[Lists, str, str, SwingConfig], Parts]:
    """Swing's parts by user, by the definition: `(lists, item, neighbor, swing)`."""
    return _brute_force


class Writer:
    """Commits rows with the record of a stage's run: a query through the lake, a list through
    delta-rs, which is many times quicker.
    """

    def __init__(self, lake: Lake, config: Config, run_id: str) -> None:
        self.lake, self.config, self.run_id = lake, config, run_id

    def __call__(
        self,
        table: str,
        rows: DataFrame | list[tuple[Any, ...]],
        inputs: Mapping[str, int],
        **details: Any,
    ) -> int:
        stage = TABLES[table].stage
        fingerprint = f"{self.run_id} {stage}"
        run = Run(
            self.run_id,
            stage,
            dict(inputs),
            (),
            fingerprint,
            {} if inputs else {"clicks.csv": "c5" * 32},
        )
        record = run.record(self.config, table, **details)
        if isinstance(rows, DataFrame):
            return self.lake.write(rows.coalesce(1), record)
        schema = to_arrow_schema(contract_schema(TABLES[table]), timezone="UTC")
        content = pa.Table.from_pylist(
            [dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema
        )
        metadata = CommitProperties(custom_metadata={"userMetadata": record.to_json()})
        write_deltalake(
            self.lake.path(table), content, mode="overwrite", commit_properties=metadata
        )
        return DeltaTable(self.lake.path(table)).version()


def _interactions(year: int) -> list[tuple[Any, ...]]:
    return [
        (
            user,
            item,
            datetime(year, 3, place + 1),
            place,
            "click",
            1.0,
            "test" if (user, item) == ("u5", "B") else "train",
        )
        for user, items in CLICKS.items()
        for place, item in enumerate(items)
    ]


def _items(word: str) -> list[tuple[Any, ...]]:
    return [
        (item, f"{word} {item}", "Brand", None, f"{word} {item}, by Brand", {}) for item in "ABCDEF"
    ]


def _item(item: str) -> dict[str, str]:
    return {"item_id": item, "text": f"Silver {item}"}


def _candidates(log_prob: float | None = None) -> list[tuple[Any, ...]]:
    config = load_config()
    decoding = config.decode_digest
    return [
        # One user was read with the wording of layout instruct, so that both are in the history.
        (
            user,
            item,
            p[0],
            log_prob or p[1],
            GENERATOR,
            prompt_digest("instruct" if user == "u2" else "sequence", GENERATOR),
            decoding,
        )
        for (user, item), p in PROPOSED.items()
    ]


def _scored(confidence: float | None = None) -> list[tuple[Any, ...]]:
    digest = prompt_digest("sequence", DISCRIMINATOR)
    real = [("u1", "A", "real", 0.75, 0.75, True, DISCRIMINATOR, digest)]
    return real + [
        (user, item, "synthetic", p[2], confidence or p[3], p[2] >= 0.5, DISCRIMINATOR, digest)
        for (user, item), p in PROPOSED.items()
    ]


def _checkpoints(folder: str) -> list[tuple[Any, ...]]:
    return [
        ("generator", GENERATOR, f"{folder}/generator", "compact", 0, "{}"),
        ("discriminator", DISCRIMINATOR, f"{folder}/discriminator", "compact", 0, "{}"),
    ]


def _similarities(lists: dict[str, Lists], swing: SwingConfig) -> list[tuple[Any, ...]]:
    rows = []
    for variant, of_variant in lists.items():
        items = sorted({item for edges in of_variant.values() for item in edges})
        for item in items:
            for neighbor in items:
                parts = _brute_force(of_variant, item, neighbor, swing) if item != neighbor else {}
                if sum(parts.values()) > 0:
                    rows.append(
                        (
                            variant,
                            "swing",
                            item,
                            neighbor,
                            sum(parts.values()),
                            len(parts),
                            0.25 if variant == "llm_i2i" else 0.0,
                        )
                    )
    return rows


def _neighbor(item: str, score: float, rank: int) -> dict[str, Any]:
    return {"item_id": item, "score": score, "rank": rank, "synthetic_share": 0.25}


def _index(similarities: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    lists: dict[tuple[str, str, str], list[tuple[str, float]]] = {}
    for variant, backbone, item, neighbor, similarity, _, _ in similarities:
        lists.setdefault((variant, backbone, item), []).append((neighbor, 10 * similarity))
    return [
        (
            *key,
            [
                (neighbor, score, rank, 0.25)
                for rank, (neighbor, score) in enumerate(
                    sorted(found, key=lambda pair: (-pair[1], pair[0])), 1
                )
            ],
        )
        for key, found in lists.items()
    ]


def _fused(lake: Lake, config: Config, interactions: int, scored: int) -> Any:
    real = real_rows(lake.read("interactions", interactions), config.model_folds)
    judged = lake.read("scored", scored)
    mended = credible_real_rows(real, judged, 0.0).unionByName(
        soft_rows(score_confidence(judged), config.fuse.soft_weight_scale, config.fuse.min_weight)
    )
    return real.selectExpr("'real' AS variant", "*").unionByName(
        mended.selectExpr("'llm_i2i' AS variant", "*")
    )


def _write_used(lake: Lake, config: Config) -> dict[str, Lists]:
    """The run that the index comes from. Its `fused` is tidied before i2i reads it, which makes a
    version without a record.
    """
    write = Writer(lake, config, "20260102T000000-used")
    log = {
        "interactions": write("interactions", _interactions(2025), {}),
        "items": write("items", _items("Silver"), {}),
    }
    example = ("u1-2", "u1", "train", [_item("A")], [{**_item("B"), "loss_weight": 1.0}])
    exported = {"sft_generator": write("sft_generator", [example], log)}
    models = {"checkpoints": write("checkpoints", _checkpoints("models/used"), exported)}
    proposed = {
        "candidates": write("candidates", _candidates(), {**log, **models}, model_digest=GENERATOR)
    }
    scored = write("scored", _scored(), {**log, **models, **proposed}, model_digest=DISCRIMINATOR)
    inputs = {"interactions": log["interactions"], "scored": scored}
    fused = write("fused", _fused(lake, config, inputs["interactions"], scored), inputs)
    lists: dict[str, dict[str, dict[str, float]]] = {"real": {}, "llm_i2i": {}}
    for row in lake.read("fused", fused).collect():
        lists[row["variant"]].setdefault(row["user_id"], {})[row["item_id"]] = row["weight"]
    lake.spark.sql(
        f"ALTER TABLE delta.`{lake.path('fused')}` SET TBLPROPERTIES ('note' = 'tidied')"
    )
    tidied = lake.version("fused")
    assert tidied == fused + 1
    similarities = _similarities(lists, config.i2i.swing)
    similar = write("item_similarity", similarities, {"fused": tidied})
    write("item_index", _index(similarities), {"item_similarity": similar})
    return lists


def _write_later(lake: Lake, config: Config) -> None:
    """Newer versions of all that the index was made from; a trace that reads one of them says what
    was not used.
    """
    write = Writer(lake, config, "20260103T000000-late")
    log = {
        "interactions": write("interactions", _interactions(2026)[:-2], {}),
        "items": write("items", _items("Later"), {}),
    }
    models = {
        "checkpoints": write("checkpoints", _checkpoints("models/later"), {"sft_generator": 0})
    }
    proposed = {"candidates": write("candidates", _candidates(-9.0), {**log, **models})}
    scored = write("scored", _scored(0.99), {**log, **models, **proposed})
    fused = write(
        "fused",
        _fused(lake, config, log["interactions"], scored),
        {"interactions": log["interactions"], "scored": scored},
    )
    write("item_similarity", [("llm_i2i", "swing", "A", "B", 9.0, 9, 0.9)], {"fused": fused})


@pytest.fixture(scope="session")
def history(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> History:
    """Three runs: an earlier index, the run that the latest index comes from, later versions of all
    the rest.
    """
    root = tmp_path_factory.mktemp("history")
    config = load_config([], [f"lake.root={root}", *SETTINGS])
    lake = Lake(spark, config.lake)
    write = Writer(lake, config, "20260101T000000-past")
    write("item_index", [("real", "swing", "A", [_neighbor("E", 1.0, 1)])], {"item_similarity": 0})
    lists = _write_used(lake, config)
    _write_later(lake, config)
    return History(lake, config, root, lists)
