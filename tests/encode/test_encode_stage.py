"""Stage encode on Delta tables: every item of the catalogue gets the features of its text."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.encode import encode_items as encode_items_module
from llm_i2i_spark.encode.encode_items import encode_items
from llm_i2i_spark.encode.stage import STAGE
from llm_i2i_spark.lake.tables import Lake, contract_schema
from llm_i2i_spark.lm.text_features import embed_texts
from tests.stage_runs import put_rows, run_stage

pytestmark = [pytest.mark.spark, pytest.mark.lm]

TEXTS = {"9": "steel hair brush", "10": "lavender soap", "007": "", "é": "soap with lavender"}


@pytest.fixture(scope="module")
def encoded(spark, tmp_path_factory) -> dict[str, list[float]]:
    settings = [f"lake.root={tmp_path_factory.mktemp('lake')}", "sft.text_dims=3", "seed=7"]
    config = load_config([], settings)
    lake = Lake(spark, config.lake)
    rows = [(item, None, None, None, text, {}) for item, text in TEXTS.items()]
    items = spark.createDataFrame(rows, contract_schema(TABLES["items"])).repartition(3)
    run_stage(STAGE, lake, config, {"items": put_rows(lake, config, "items", items)})
    return {row["item_id"]: row["features"] for row in lake.read("item_features").collect()}


def test_features_are_those_of_the_texts_in_the_order_of_the_ids(encoded) -> None:
    assert encoded.keys() == TEXTS.keys()
    ordered = sorted(TEXTS)
    wanted = embed_texts([TEXTS[item] for item in ordered], 3, None, seed=7)
    assert np.array_equal([encoded[item] for item in ordered], wanted)


def test_features_have_unit_length_and_a_text_without_a_word_has_zeros(encoded) -> None:
    lengths = {item: np.linalg.norm(features) for item, features in encoded.items()}
    assert lengths.pop("007") == 0
    assert list(lengths.values()) == pytest.approx([1.0] * 3, abs=1e-6)
    assert np.dot(encoded["10"], encoded["é"]) > 0.5 > np.dot(encoded["10"], encoded["9"])


def test_a_call_on_a_pandas_catalogue_gives_the_same_features(encoded) -> None:
    catalogue = pd.DataFrame({"text": [*TEXTS.values()], "item_id": [*TEXTS]})
    catalogue.loc[catalogue["text"] == "", "text"] = None
    rows = encode_items(catalogue, dims=3, seed=7).collect()
    assert {row["item_id"]: row["features"] for row in rows} == encoded
    with pytest.raises(InputDataError, match="The items need the columns item_id, text and lack"):
        encode_items(catalogue.drop(columns="text"))


def test_a_large_catalogue_is_fitted_on_some_items_and_made_by_the_workers(
    spark, monkeypatch
) -> None:
    kinds = ("steel hair brush", "lavender soap bar", "cotton bath towel")
    texts = {f"i{n:03}": f"{kinds[n % 3]} {n % 7} size{n % 5}" for n in range(240)}
    texts["bare"] = ""
    catalogue = pd.DataFrame({"item_id": [*texts], "text": [*texts.values()]})
    monkeypatch.setattr(encode_items_module, "FITTED_ON", 120)
    found = {
        partitions: {
            row["item_id"]: row["features"]
            for row in encode_items(
                spark.createDataFrame(catalogue).repartition(partitions), dims=6
            ).collect()
        }
        for partitions in (1, 5)
    }
    assert found[1].keys() == texts.keys()
    assert found[1].keys() == found[5].keys()
    for item_id, features in found[1].items():
        np.testing.assert_allclose(features, found[5][item_id], atol=1e-6)
    assert not any(found[1].pop("bare"))
    rows = np.array([found[1][f"i{n:03}"] for n in range(240)])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    like, unlike = rows[0::3] @ rows[0::3].T, rows[0::3] @ rows[1::3].T
    assert like.mean() > unlike.mean() + 0.3
