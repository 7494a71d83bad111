"""The similarity of the edge: as `item_similarity` holds it, beside what comes out of all users'
parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pyspark.sql import Row
from pyspark.sql import functions as F

from llm_i2i_spark.audit.lineage import Lineage, Origin
from llm_i2i_spark.audit.trace.edge import ADDS_UP, EdgeKey, Recomputed
from llm_i2i_spark.audit.trace.recorded_settings import recorded_settings
from llm_i2i_spark.backbones.swing import Swing
from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.config.config import Config


def find_similarity(lineage: Lineage, similarity: Origin, edge: EdgeKey) -> Row:
    """The edge's row of `item_similarity`.

    Raises:
        StageError: there is none, though the index was made from it.
    """
    ends = (F.col("item_id") == edge.item_id) & (F.col("neighbor_id") == edge.neighbor_id)
    rows = lineage.read(similarity, "item_similarity", ends)
    if not rows:
        raise StageError(
            f"item_index names {edge.neighbor_id} as a neighbour of {edge.item_id}, and"
            f" item_similarity v{similarity.version}, which it was made from, does not; run stage"
            " index again."
        )
    return rows[0]


def compare(stored: float, recomputed: float, doubts: Sequence[str] = ()) -> Recomputed:
    """The stored similarity beside the recomputed one.

    Args:
        stored: of `item_similarity`.
        recomputed: from all users' contributions.
        doubts: sentences on what may set them apart, where they differ.
    """
    difference = abs(recomputed - stored) / stored
    adds_up = difference <= ADDS_UP
    return Recomputed(recomputed, difference, adds_up, () if adds_up else tuple(doubts))


def swing_doubts(similarity: Origin, rows: Sequence[Row], config: Config) -> list[str]:
    """What may set a similarity of Swing and the sum of its users' parts apart.

    Args:
        similarity: where it comes from.
        rows: of `fused`, of all users who have both items.
        config: the settings given.
    """
    used = recorded_settings(similarity, config) or config
    return [*other_settings(similarity, config), *_caps(used.i2i.swing, rows)]


def other_settings(similarity: Origin, config: Config) -> list[str]:
    """A sentence where nothing says that the similarities were made with the settings given."""
    record = similarity.record
    if record is None or record.config_digest == config.digest():
        return []
    if recorded_settings(similarity, config) is not None:
        return []
    return [
        f"The settings given are not in every point those of run {record.run_id},"
        " which made the similarities."
    ]


def _caps(swing: Swing, rows: Sequence[Row]) -> list[str]:
    longest = max(Counter(row["user_id"] for row in rows).values(), default=0)
    doubts = []
    if swing.max_items_per_user is not None and longest > swing.max_items_per_user:
        doubts.append(
            f"A list longer than i2i.swing.max_items_per_user={swing.max_items_per_user} was cut,"
            " and is counted in full here."
        )
    if swing.max_users_per_item is not None:
        doubts.append(
            f"i2i.swing.max_users_per_item={swing.max_users_per_item} may have left out users that"
            " are counted here."
        )
    return doubts
