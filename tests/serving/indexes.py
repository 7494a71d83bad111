"""Indexes for the tests of serving: small ones to read, and random ones with awkward ids."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from llm_i2i_spark.serving.rows import INDEX_SCHEMA

Lists = Mapping[str, Sequence[tuple[str, float, float | None]]]
"""By item: (neighbour, score, synthetic share), best first."""

SCHEMA = pa.schema(
    [
        pa.field("variant", pa.string(), nullable=False),
        pa.field("backbone", pa.string(), nullable=False),
        *INDEX_SCHEMA,
    ]
)

AWKWARD_IDS = (
    "007",
    "7",
    "ä",
    "a\u0308",
    "A",
    "a",
    " a ",
    "a:b",
    "a,b",
    '"',
    "\\",
    "%41",
    "日本",
    "😀",
    "*[x]?",
)


def table_rows(
    lists: Lists, variant: str = "real", backbone: str = "swing"
) -> list[dict[str, Any]]:
    """Rows of the table `item_index`."""
    return [
        {
            "variant": variant,
            "backbone": backbone,
            "item_id": item,
            "neighbors": [
                {"item_id": other, "score": score, "rank": rank, "synthetic_share": share}
                for rank, (other, score, share) in enumerate(neighbors, start=1)
            ],
        }
        for item, neighbors in lists.items()
    ]


def write_lake(root: Path, *indexes: list[dict[str, Any]], mode: str = "overwrite") -> Path:
    """A lake with a table `item_index` of these rows, without Spark; gives the root back."""
    rows = [row for index in indexes for row in index]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    write_deltalake(str(root / "item_index"), table, mode=mode)
    return root


def random_lists(n_items: int, size: int, seed: int) -> Lists:
    """Lists of random neighbours; in every other list most scores tie."""
    draw = random.Random(seed)
    items = [*AWKWARD_IDS, *(str(number) for number in range(n_items - len(AWKWARD_IDS)))]
    lists = {}
    for position, item in enumerate(draw.sample(items, len(items) - 5)):
        others = draw.sample([other for other in items if other != item], min(size, n_items - 1))
        few = [draw.choice((0.25, 0.5, 1 / 3)) for _ in others]
        scores = few if position % 2 else [draw.random() for _ in others]
        scored = sorted(zip(scores, others, strict=True), key=lambda pair: -pair[0])
        lists[item] = [(other, score, draw.random()) for score, other in scored]
    return lists
