"""Stage encode: the texts of the catalogue in, their features out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from llm_i2i_spark.lake.stage_run import StageRun
from llm_i2i_spark.lm.text_features import Features, embed_texts


def execute(run: StageRun) -> None:
    """Write `item_features`: the text features of every item, clicked or not.

    They are computed on the driver, from the items in the order of their ids, so that they are one
    function of the catalogue: a truncated SVD has no other way, and the last bits of a matrix
    product may differ between machines. The driver holds all texts, the words of the catalogue and
    the features: some 1 KB an item for the texts and their words, 12 bytes an item and dimension
    for the features and the factors of the SVD, so 4 GB for a million items at 256 dimensions.
    TF-IDF and SVD of 100,000 short texts take a minute of two cores or so; a sentence encoder runs
    on the driver's GPU where it has one.

    Raises:
        InputDataError: the folder of the text encoder has code in it, or no safetensors.
    """
    config = run.config
    items = run.read("items").select("item_id", "text").toArrow()
    texts = dict(zip(items["item_id"].to_pylist(), items["text"].to_pylist(), strict=True))
    item_ids = sorted(texts)
    features = embed_texts(
        [texts[item_id] for item_id in item_ids],
        config.sft.text_dims,
        config.sft.text_encoder,
        config.seed,
    )
    frame = run.spark.createDataFrame(as_table(item_ids, features))
    run.write("item_features", frame, "encode: features", dims=features.shape[1])


def as_table(item_ids: list[str], features: Features) -> pa.Table:
    """The rows of `item_features`.

    Args:
        item_ids: of the items.
        features: [n, dims], a row an item.
    """
    dims = features.shape[1]
    # Offsets of 64 bits: a large catalogue has more numbers than 32 bits count.
    offsets = np.arange(len(item_ids) + 1, dtype=np.int64) * dims
    lists = pa.LargeListArray.from_arrays(offsets, features.ravel())
    return pa.table({"item_id": pa.array(item_ids, pa.string()), "features": lists})
