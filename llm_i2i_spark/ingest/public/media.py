"""News, books, games, places: MIND, Goodreads, Steam, Gowalla."""

from __future__ import annotations

from llm_i2i_spark.ingest.public.layout import Layout

# The clicks of MIND are a list in every impression; they have an order, and no times of their own.
MIND = {
    "interactions": (
        Layout(
            {"item_id": ("history",)},
            ("behaviors.tsv",),
            header=("impression_id", "user_id", "impressed_at", "history", "impressions"),
            separator="tab",
            quoted=False,
            explode="history",
        ),
    ),
    "items": (
        Layout(
            {"item_id": ("news_id",), "category": ("category",)},
            ("news.tsv",),
            header=(
                "news_id",
                "category",
                "subcategory",
                "title",
                "abstract",
                "url",
                "title_entities",
                "abstract_entities",
            ),
            separator="tab",
            quoted=False,
        ),
    ),
}
GOODREADS = {
    "interactions": (
        Layout(
            {"item_id": ("book_id",)},
            ("goodreads_interactions.csv",),
            signature=frozenset({"user_id", "book_id", "is_read"}),
        ),
    ),
    "items": (
        Layout(
            {"item_id": ("book_id",), "brand": ("publisher",)},
            ("goodreads_books*.json",),
            format="json",
            fields="book_id string, title string, publisher string, isbn string, num_pages string,"
            " publication_year string",
            signature=frozenset({"book_id", "title"}),
        ),
    ),
}
STEAM = {
    "interactions": (
        Layout(
            {"user_id": ("username",), "item_id": ("product_id",), "ts": ("date",)},
            ("steam_new.json", "steam_reviews.json"),
            format="json",
            fields="username string, product_id string, date string, hours string",
            signature=frozenset({"username", "product_id"}),
        ),
    ),
    "items": (
        Layout(
            {
                "item_id": ("id",),
                "title": ("app_name", "title"),
                "brand": ("developer", "publisher"),
                "category": ("genres",),
            },
            ("steam_games.json",),
            format="json",
            fields="id string, app_name string, title string, developer string, publisher string,"
            " genres array<string>, price string",
            signature=frozenset({"app_name", "id"}),
        ),
    ),
}
GOWALLA = {
    "interactions": (
        Layout(
            {},
            ("loc-gowalla_totalCheckins.txt", "Gowalla_totalCheckins.txt"),
            header=("user_id", "ts", "latitude", "longitude", "item_id"),
            separator="tab",
        ),
    ),
}
