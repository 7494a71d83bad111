"""The table `items` from checked rows: items of the catalogue and the log, each with its text."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.ingest.values import prompt_text

TEXT_CHARS = 512
TEXT_SEPARATOR = " | "


def build_items(catalogue: DataFrame | None, interactions: DataFrame) -> DataFrame:
    """The table `items`: the items of the catalogue and those that only the log has, each with its
    `text`.

    Args:
        catalogue: item_id (unique), title, brand, category, extra; None where there is none.
        interactions: with item_id.
    """
    clicked = interactions.select("item_id").distinct()
    nothing = F.lit(None).cast("string")
    empty = F.create_map().cast("map<string,string>")
    if catalogue is None:
        items = clicked.select(
            "item_id",
            *(nothing.alias(name) for name in ("title", "brand", "category")),
            empty.alias("extra"),
        )
    else:
        items = catalogue.join(clicked, "item_id", "full_outer").withColumn(
            "extra", F.coalesce("extra", empty)
        )
    return items.select("item_id", "title", "brand", "category", item_text().alias("text"), "extra")


def item_text() -> Column:
    """What prompts show of an item: `title | brand | category` of those it has, else its id.

    Whitespace is folded to single blanks and control characters are removed; after 512 characters
    the text is cut.
    """
    parts = [prompt_text(F.col(name), TEXT_CHARS) for name in ("title", "brand", "category")]
    joined = prompt_text(F.concat_ws(TEXT_SEPARATOR, *parts), TEXT_CHARS)
    return F.coalesce(joined, prompt_text(F.col("item_id"), TEXT_CHARS), F.col("item_id"))
