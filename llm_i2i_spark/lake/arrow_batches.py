"""The batches in which Spark hands rows to Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from llm_i2i_spark.lake.session_options import session_options

FULL = {
    "spark.sql.execution.arrow.maxRecordsPerBatch": "65536",
    "spark.sql.execution.arrow.maxBytesPerBatch": str(2**31 - 1),
}


@contextmanager
def full_batches(spark: SparkSession) -> Iterator[None]:
    """Batches of up to 65,536 rows, however many bytes those are, for the queries planned in the
    block.

    Under any other limit of bytes Spark adds up the size of all columns again after every row,
    which takes longer than to write the row. For narrow rows only. Where the session lets nobody
    set this, batches stay as they are.
    """
    with session_options(spark, FULL):
        yield


def stream_batches(frame: DataFrame) -> Iterator[pa.RecordBatch]:
    """The rows of a frame in its order, on the driver, a partition at a time: no Python object a
    row, and never the whole frame.
    """
    packed = frame.mapInArrow(_as_ipc, "batch binary")
    for row in packed.toLocalIterator(prefetchPartitions=True):
        with pa.ipc.open_stream(bytes(row["batch"])) as reader:
            yield from reader


def _as_ipc(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Each batch as the bytes of an Arrow stream."""
    for batch in batches:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        yield pa.RecordBatch.from_pydict({"batch": [sink.getvalue().to_pybytes()]})
