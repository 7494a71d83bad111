"""What the ending of a file's name says: its packing, and the form of its rows. No Spark."""

from __future__ import annotations

from pathlib import Path

PACKED = {
    ".gz": "gz",
    ".gzip": "gz",
    ".bz2": "bz2",
    ".xz": "xz",
    ".zst": "zst",
    ".zip": "zip",
    ".deflate": "deflate",
    ".snappy": "snappy",
    ".lz4": "lz4",
}
"""Ending -> packing."""
UNPACKED_BY_SPARK = frozenset({".gz", ".bz2", ".deflate", ".snappy", ".lz4"})
"""Endings by which Spark unpacks a text file itself."""
TEXT = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".inter": "csv",
    ".item": "csv",
    ".user": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
COLUMNAR = {".parquet": "parquet", ".pq": "parquet", ".orc": "orc", ".avro": "avro"}
NOT_READ = frozenset(
    {".xlsx", ".xls", ".ods", ".pkl", ".pickle", ".npy", ".npz", ".feather", ".h5", ".sas"}
)


def plain_name(name: str) -> str:
    """A file's name in small letters without the ending of its packing."""
    lowered = name.lower().rstrip("/")
    while Path(lowered).suffix in PACKED:
        lowered = lowered[: -len(Path(lowered).suffix)]
    return lowered


def ending_of(name: str) -> str:
    """The ending of a file's name, before that of its packing."""
    return Path(plain_name(name)).suffix


def names_a_file(path: str) -> bool:
    """Whether a name ends as files do, rather than naming a table."""
    return ending_of(path) in {*TEXT, *COLUMNAR, *NOT_READ} or Path(path).suffix in PACKED
