"""An index from similarities without a lake: the very rows of the stage, and null where it is not
known.
"""

from __future__ import annotations

import pandas as pd
import pytest

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.sections.index import IndexConfig
from llm_i2i_spark.index.to_index import to_index
from llm_i2i_spark.index.transform import count_clicks, rank_neighbors
from llm_i2i_spark.lake.tables import contract_schema

pytestmark = pytest.mark.spark

SIMILAR = [
    ("a", "b", 0.7, 0.25),
    ("a", "10", 0.3, None),
    ("a", "9", 0.3, 1.0),
    ("b", "a", 0.7, 0.0),
    ("b", "10", 0.2, 0.5),
]
FUSED = [("u", "b"), ("v", "b"), ("w", "b"), ("u", "a"), ("u", "9")]


def rows_of(frame) -> list:
    return sorted((row.asDict(recursive=True) for row in frame.collect()), key=str)


@pytest.mark.parametrize(("normalize", "exponent"), [("none", 0.0), ("row", 0.0), ("row", 0.5)])
def test_rows_are_those_of_the_stage(spark, normalize, exponent) -> None:
    stored = spark.createDataFrame(
        [
            ("v", "swing", item, other, score, 2, share, None)
            for item, other, score, share in SIMILAR
        ],
        contract_schema(TABLES["item_similarity"]),
    )
    fused = spark.createDataFrame(
        [("v", user, item, "real") for user, item in FUSED] + [("v", "x", "10", "synthetic")],
        "variant string, user_id string, item_id string, source string",
    )
    settings = IndexConfig(size=2, normalize=normalize, popularity_exponent=exponent)
    of_the_stage = rank_neighbors(stored, count_clicks(fused), settings)
    options = {"size": 2, "normalize": normalize, "popularity_exponent": exponent}
    # With the columns of the lake, with the bare ones, and from pandas: equal to the last bit.
    whole = to_index(stored, interactions=fused, **options)
    assert whole.schema == of_the_stage.schema
    assert rows_of(whole) == rows_of(of_the_stage)
    bare = stored.select("item_id", "neighbor_id", "similarity", "synthetic_share")
    clicks = pd.DataFrame(FUSED, columns=["user_id", "item_id"])
    wanted = rows_of(of_the_stage.drop("variant", "backbone"))
    assert rows_of(to_index(bare, interactions=clicks, **options)) == wanted
    assert rows_of(to_index(bare.toPandas(), interactions=clicks, **options)) == wanted


def test_ids_become_text_and_an_unknown_share_stays_unknown(spark) -> None:
    similar = pd.DataFrame([(1, 2, 0.5)], columns=["item_id", "neighbor_id", "similarity"])
    assert rows_of(to_index(similar)) == [
        {
            "item_id": "1",
            "neighbors": [{"item_id": "2", "score": 1.0, "rank": 1, "synthetic_share": None}],
        }
    ]


def test_a_mistake_is_told_with_what_to_do(spark) -> None:
    similar = pd.DataFrame([(1, 2, 0.5)], columns=["item_id", "neighbor_id", "similarity"])
    with pytest.raises(UserError, match="give to_index the interactions"):
        to_index(similar, popularity_exponent=0.25)
    with pytest.raises(UserError, match="lack similarity"):
        to_index(similar.drop(columns="similarity"))
    clicks = pd.DataFrame([("v", 1)], columns=["variant", "item_id"])
    with pytest.raises(UserError, match="choose one variant"):
        to_index(similar, popularity_exponent=0.25, interactions=clicks)
