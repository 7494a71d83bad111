"""An index in Redis: a key an item under the id of its generation, and one key that names the live
generation.

    {prefix}:current                    id of the live generation
    {prefix}:generations                hash: id -> record as JSON; empty while it is written
    {prefix}:{generation}:{item id}     {"items": [...], "scores": [...]} as JSON, best first

A reader gets `{prefix}:current` and then the key of the item; the generation that was current stays
readable until the publish after next, so that the two steps need no transaction.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pyarrow as pa

from llm_i2i_spark.base.errors import (
    ConfigError,
    MissingDependencyError,
    StageError,
    UserError,
)
from llm_i2i_spark.serving.base import Exporter, Generation, Neighbor, as_neighbors
from llm_i2i_spark.serving.rows import flat_lists

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SCHEMES = ("redis", "rediss")
DEFAULT_PREFIX = "i2i"
CONNECT_SECONDS = 5.0
KEYS_AT_ONCE = 1_000
GENERATION = re.compile(rb"\d{8}T\d{6}-[0-9a-f]{4}")


def redis_neighbors(client: Any, prefix: str, item_id: str) -> list[Neighbor]:
    """The live list of an item, as a server reads it.

    Args:
        client: a `redis.Redis`, with or without `decode_responses`.
        prefix: of the keys, as in the URL that was published to.
        item_id: the item.

    Returns:
        Its neighbours, best first; empty where it has none.
    """
    current = client.get(f"{prefix}:current")
    if current is None:
        return []
    name = current if isinstance(current, str) else current.decode()
    value = client.get(f"{prefix}:{name}:{item_id}")
    if value is None:
        return []
    lists = json.loads(value)
    return as_neighbors(lists["items"], lists["scores"])


class RedisExporter(Exporter):
    """A Redis server; executors write to it side by side."""

    form = "redis://host:6379/0?prefix=i2i"

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        self._prefix = options.pop("prefix", DEFAULT_PREFIX)
        self._url = urlunsplit(parts._replace(query=urlencode(options)))
        host = parts.netloc.rpartition("@")[2]
        super().__init__(f"{parts.scheme}://{host}{parts.path}?prefix={self._prefix}")
        if not parts.hostname or not self._prefix:
            raise ConfigError(f"A Redis target looks like {self.form}, and is {self.shown!r}.")

    @classmethod
    def accepts(cls, target: str) -> bool:
        """URLs of Redis, plain or over TLS."""
        return urlsplit(target).scheme in SCHEMES

    def check(self) -> None:
        """Connect and ask for a sign of life."""
        redis = _library()
        try:
            with self._client() as client:
                client.ping()
        except (redis.RedisError, ValueError) as error:
            raise UserError(
                f"No Redis server answers at {self.shown} ({error}); start it, or name another one"
                f" as {self.form}."
            ) from error

    def live(self) -> Generation | None:
        """The generation that `{prefix}:current` names."""
        with self._client() as client:
            current = client.get(f"{self._prefix}:current")
        return None if current is None else self.find(current.decode())

    def find(self, generation: str) -> Generation | None:
        """The record of a generation that is complete."""
        with self._client() as client:
            record = client.hget(self._generations, generation)
        return Generation.from_json(record) if record else None

    def begin(self, generation: str) -> None:
        """Note an empty record."""
        with self._failures(), self._client() as client:
            client.hset(self._generations, generation, "")

    def write(self, batches: Iterable[pa.RecordBatch], generation: str) -> int:
        """Set a key an item, some hundred at a time."""
        rows = 0
        with self._failures(), self._client() as client, client.pipeline(False) as pipeline:
            for batch in batches:
                for item, ids, scores in flat_lists(batch):
                    pipeline.set(f"{self._prefix}:{generation}:{item}", _encode(ids, scores))
                    rows += len(ids)
                    if len(pipeline) >= KEYS_AT_ONCE:
                        pipeline.execute()
            pipeline.execute()
        return rows

    def write_frame(self, frame: DataFrame, generation: str) -> int:
        """Each partition of the frame writes its own rows."""
        task = partial(_write_partition, exporter=self, generation=generation)
        counts = frame.mapInArrow(task, "rows bigint").collect()
        return sum(row["rows"] for row in counts)

    def switch(self, record: Generation) -> None:
        """Set `{prefix}:current`, unless the generation is not announced any more."""
        redis = _library()
        gone = StageError(
            f"Another publish to {self.shown} has taken over; its index is served, not this one."
        )
        with self._failures(), self._client() as client, client.pipeline() as pipeline:
            pipeline.watch(self._generations)
            if not pipeline.hexists(self._generations, record.generation):
                raise gone
            pipeline.multi()
            pipeline.hset(self._generations, record.generation, record.to_json())
            pipeline.set(f"{self._prefix}:current", record.generation)
            try:
                pipeline.execute()
            except redis.WatchError:
                raise gone from None

    def remove(self, keep: Collection[str]) -> None:
        """Remove the keys of all other generations, announced or not."""
        kept = {name.encode() for name in keep}
        with self._failures(), self._client() as client, client.pipeline(False) as pipeline:
            for name in set(client.hkeys(self._generations)) - kept:
                pipeline.hdel(self._generations, name)
            start = f"{self._prefix}:".encode()
            pattern = re.sub(rb"([*?\[\]\\])", rb"\\\1", start) + b"*"
            for key in client.scan_iter(pattern, count=KEYS_AT_ONCE):
                name = key[len(start) :].partition(b":")[0]
                if GENERATION.fullmatch(name) and name not in kept:
                    pipeline.unlink(key)
                if len(pipeline) >= KEYS_AT_ONCE:
                    pipeline.execute()
            pipeline.execute()

    def neighbors(self, item_id: str) -> list[Neighbor]:
        """The live list, read as a server does."""
        with self._client() as client:
            return redis_neighbors(client, self._prefix, item_id)

    @property
    def _generations(self) -> str:
        return f"{self._prefix}:generations"

    def _client(self) -> Any:
        return _library().Redis.from_url(self._url, socket_connect_timeout=CONNECT_SECONDS)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except _library().RedisError as error:
            raise StageError(
                f"Publishing to {self.shown} failed ({error}); what was served there before still"
                " is."
            ) from error


def _write_partition(
    batches: Iterable[pa.RecordBatch], exporter: RedisExporter, generation: str
) -> Iterator[pa.RecordBatch]:
    yield pa.RecordBatch.from_pydict({"rows": [exporter.write(batches, generation)]})


def _encode(ids: list[str], scores: list[float]) -> bytes:
    values = {"items": ids, "scores": scores}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _library() -> Any:
    try:
        import redis
    except ImportError:
        raise MissingDependencyError(
            "Publishing to Redis needs its Python client: pip install 'llm-i2i-spark[redis]'."
        ) from None
    return redis
