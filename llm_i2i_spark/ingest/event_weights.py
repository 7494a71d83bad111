"""How much an interaction counts by the kind of its event."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

EVENT_WEIGHT = "event_weight"
UNKNOWN_EVENT = 1.0


def with_event_weights(rows: DataFrame, weights: Mapping[str, float]) -> DataFrame:
    """Add `event_weight`: what `ingest.event_weights` has for the row's event, 1 for other events.

    Args:
        rows: with `event`.
        weights: by event.
    """
    table = F.create_map(*(F.lit(part) for pair in weights.items() for part in pair))
    known = F.try_element_at(table, F.col("event"))
    return rows.withColumn(EVENT_WEIGHT, F.coalesce(known, F.lit(UNKNOWN_EVENT)))
