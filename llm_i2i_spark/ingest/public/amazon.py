"""Amazon reviews of 2014, 2018 and 2023: JSON lines (the 2014 catalogue is Python literals), and
ratings as CSV without names.
"""

from __future__ import annotations

from llm_i2i_spark.ingest.public.layout import Layout

_REVIEWS = Layout(
    {"user_id": ("reviewerID",), "item_id": ("asin",), "ts": ("unixReviewTime",)},
    format="json",
    fields="reviewerID string, asin string, unixReviewTime string, overall string",
    signature=frozenset({"reviewerID", "asin"}),
)
_RATINGS_2014 = Layout(
    _REVIEWS.columns, ("*.csv",), header=("reviewerID", "asin", "overall", "unixReviewTime")
)
_RATINGS_2018 = Layout(
    _REVIEWS.columns, ("*.csv",), header=("asin", "reviewerID", "overall", "unixReviewTime")
)
AMAZON_2014 = {
    "interactions": (_RATINGS_2014, _REVIEWS),
    "items": (
        Layout(
            {"item_id": ("asin",), "category": ("categories",)},
            format="json",
            fields="asin string, title string, brand string, categories array<array<string>>,"
            " price string",
            signature=frozenset({"asin", "categories"}),
        ),
    ),
}
AMAZON_2018 = {
    "interactions": (_RATINGS_2018, _REVIEWS),
    "items": (
        Layout(
            {"item_id": ("asin",), "category": ("category", "main_cat")},
            format="json",
            fields="asin string, title string, brand string, category array<string>, main_cat"
            " string, price string",
            signature=frozenset({"asin"}),
        ),
    ),
}
_COLUMNS_2023 = {"item_id": ("parent_asin", "asin"), "ts": ("timestamp",)}
AMAZON_2023 = {
    "interactions": (
        Layout(_COLUMNS_2023, ("*.csv",), signature=frozenset({"user_id", "parent_asin"})),
        Layout(
            _COLUMNS_2023,
            format="json",
            fields="user_id string, parent_asin string, asin string, timestamp string, rating"
            " string",
            signature=frozenset({"user_id", "parent_asin"}),
        ),
    ),
    "items": (
        Layout(
            {
                "item_id": ("parent_asin",),
                "brand": ("store",),
                "category": ("categories", "main_category"),
            },
            format="json",
            fields="parent_asin string, title string, store string, categories array<string>,"
            " main_category string, price string",
            signature=frozenset({"parent_asin"}),
        ),
    ),
}
