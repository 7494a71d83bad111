"""What an embedding backbone has learned: a vector an item, and the network of the users' side."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from llm_i2i_spark.kernels.arrays import Float32Array

ITEMS_PER_BATCH = 2**20
"""Rows of a record batch: the offsets of its lists have 32 bits."""


@dataclass(frozen=True)
class ItemEmbeddings:
    """The vectors of items, and how users come to theirs.

    Attributes:
        item_ids: (items,) strings.
        vectors: [items, dims].
        losses: mean loss of each epoch.
        layers: [out, in + 1] each, of the network that makes a user's vector from those of items,
            weights and bias side by side; none where a backbone has no such network.
    """

    item_ids: pa.Array
    vectors: Float32Array
    losses: tuple[float, ...]
    layers: tuple[Float32Array, ...] = ()

    @property
    def digest(self) -> str:
        """Hex sha256 of ids, vectors and layers."""
        digest = hashlib.sha256("\0".join(self.item_ids.to_pylist()).encode())
        digest.update(f" {self.vectors.shape} ".encode())
        digest.update(np.ascontiguousarray(self.vectors).tobytes())
        for layer in self.layers:
            digest.update(f" {layer.shape} ".encode())
            digest.update(np.ascontiguousarray(layer).tobytes())
        return digest.hexdigest()

    def to_arrow(self) -> pa.Table:
        """`item_id string, embedding list<float>`, a row an item."""
        schema = pa.schema([("item_id", pa.string()), ("embedding", pa.list_(pa.float32()))])
        batches = [
            self._batch(first, min(first + ITEMS_PER_BATCH, len(self.item_ids)), schema)
            for first in range(0, max(len(self.item_ids), 1), ITEMS_PER_BATCH)
        ]
        return pa.Table.from_batches(batches, schema)

    def network_to_arrow(self) -> pa.Table:
        """`layer int, unit int, weights list<float>`, a row a unit."""
        units = [
            {"layer": layer, "unit": unit, "weights": weights}
            for layer, matrix in enumerate(self.layers)
            for unit, weights in enumerate(matrix)
        ]
        fields = [("layer", pa.int32()), ("unit", pa.int32()), ("weights", pa.list_(pa.float32()))]
        return pa.Table.from_pylist(units, pa.schema(fields))

    def _batch(self, first: int, end: int, schema: pa.Schema) -> pa.RecordBatch:
        offsets = np.arange(end - first + 1, dtype=np.int32) * np.int32(self.vectors.shape[1])
        lists = pa.ListArray.from_arrays(offsets, self.vectors[first:end].ravel())
        ids = self.item_ids.slice(first, end - first)
        return pa.RecordBatch.from_arrays([ids, lists], schema=schema)
