"""Forms in which research code publishes its logs: S3-Rec's lists, RecBole's atomic files."""

from __future__ import annotations

from llm_i2i_spark.ingest.public.layout import Layout

S3REC = {"interactions": (Layout({}, format="item_lists"),)}
RECBOLE = {
    "interactions": (Layout({"ts": ("timestamp",)}, ("*.inter",), separator="tab"),),
    "items": (
        Layout(
            {
                "title": ("title", "movie_title", "name"),
                "category": ("categories", "category", "class", "genre"),
            },
            ("*.item",),
            separator="tab",
        ),
    ),
}
