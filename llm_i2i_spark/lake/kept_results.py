"""What a language model has inferred for a stage that has not committed yet: a file a batch of
rows, found by what is in the batch, so that a stage that is started again reads what was inferred
before it was stopped, and infers only the rest.

_inference/<fingerprint>/<table>-<digest of model, prompt and batch>-<digest of the file>.parquet

The folder is removed when the stage has committed. A file that cannot be written is no error: then
its batch may be inferred again. One that is not what was written is passed over.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from llm_i2i_spark.base.files import write_atomically
from llm_i2i_spark.base.phases import reached

DIGITS = 32
"""Hexadecimal digits of the digests in names."""


@dataclass(frozen=True)
class KeptResults:
    """The results of one table of one fingerprint. Travels to Spark's workers.

    Attributes:
        folder: that every worker sees under this path.
        table: that the results are for.
    """

    folder: str
    table: str

    def key(self, batch: pa.RecordBatch, *model: str) -> str:
        """What the results of a batch are found by.

        Args:
            batch: what the model is shown.
            model: digests of the model and its prompt.
        """
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        digest = hashlib.sha256("\0".join(model).encode())
        digest.update(sink.getvalue())
        return digest.hexdigest()[:DIGITS]

    def read(self, key: str) -> pa.RecordBatch | None:
        """The results of a batch; None where there are none, or not as they were written."""
        for file in Path(self.folder).glob(f"{self.table}-{key}-*.parquet"):
            content = file.read_bytes()
            if file.name == self._name(key, content):
                (batch,) = pq.read_table(pa.BufferReader(content)).combine_chunks().to_batches()
                return batch
        return None

    def write(self, key: str, rows: pa.RecordBatch) -> None:
        """Keep the results of a batch."""
        if not rows.num_rows:
            return
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_batches([rows]), sink, compression="zstd")
        content = sink.getvalue().to_pybytes()
        with suppress(OSError):
            write_atomically(Path(self.folder, self._name(key, content)), content)
            reached("batch kept")

    def count(self) -> int:
        """How many batches have results."""
        return len(list(Path(self.folder).glob(f"{self.table}-*.parquet")))

    def _name(self, key: str, content: bytes) -> str:
        return f"{self.table}-{key}-{hashlib.sha256(content).hexdigest()[:DIGITS]}.parquet"
