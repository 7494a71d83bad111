"""Stage encode: the texts of the catalogue in, their features out."""

from __future__ import annotations

from llm_i2i_spark.encode.encode_items import encode_items
from llm_i2i_spark.lake.stage_run import StageRun


def execute(run: StageRun) -> None:
    """Write `item_features`: the text features of every item, clicked or not.

    Raises:
        InputDataError: the folder of the text encoder has code in it, or no safetensors.
    """
    sft = run.config.sft
    frame = encode_items(run.read("items"), sft.text_dims, sft.text_encoder, run.config.seed)
    run.write("item_features", frame, "encode: features")
