"""MovieLens: tabs and bars (100k), `::` (1M, 10M), CSV with names (latest, 20M, 25M, 32M)."""

from __future__ import annotations

from llm_i2i_spark.ingest.public.layout import Layout

_RATING_COLUMNS = {"user_id": ("userId",), "item_id": ("movieId",), "ts": ("timestamp",)}
_RATINGS = ("userId", "movieId", "rating", "timestamp")
_MOVIE_COLUMNS = {"item_id": ("movieId",), "category": ("genres",)}
_GENRES = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
MOVIELENS = {
    "interactions": (
        Layout(_RATING_COLUMNS, ("ratings.dat", "*.dat"), header=_RATINGS, separator="::"),
        Layout(_RATING_COLUMNS, ("u.data", "*.data"), header=_RATINGS, separator="tab"),
        Layout(
            _RATING_COLUMNS,
            ("ratings.csv",),
            signature=frozenset({"userId", "movieId"}),
        ),
    ),
    "items": (
        Layout(
            _MOVIE_COLUMNS,
            ("movies.dat", "*.dat"),
            header=("movieId", "title", "genres"),
            separator="::",
            quoted=False,
            encoding="latin-1",
            lists={"genres": "|"},
        ),
        Layout(
            _MOVIE_COLUMNS,
            ("u.item",),
            header=(
                "movieId",
                "title",
                "release_date",
                "video_release_date",
                "imdb_url",
                *_GENRES,
            ),
            separator="|",
            quoted=False,
            encoding="latin-1",
            flags=_GENRES,
        ),
        Layout(
            _MOVIE_COLUMNS,
            ("movies.csv",),
            lists={"genres": "|"},
            signature=frozenset({"movieId", "title"}),
        ),
    ),
}
