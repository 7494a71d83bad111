"""From one neighbour in the index back to the users, candidates, prompts and checkpoints behind it.

Every table is read at the version, and every result recomputed with the settings, that the run
records name, so a trace shows what was used, whatever was written since.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from llm_i2i_spark.audit.lineage import Lineage, Origin, recorded
from llm_i2i_spark.audit.trace.contributions import BACKBONE
from llm_i2i_spark.audit.trace.edge import EdgeKey, EdgeTrace, SyntheticOrigin, UserEvidence
from llm_i2i_spark.audit.trace.recorded_settings import recorded_settings
from llm_i2i_spark.audit.trace.served import find_entry, find_titles
from llm_i2i_spark.audit.trace.similarity import compare, find_similarity
from llm_i2i_spark.audit.trace.synthetic import trace_synthetic
from llm_i2i_spark.audit.trace.users import contributions, evidence, rows_at_ends, rows_of_users
from llm_i2i_spark.backbones import find_backbone
from llm_i2i_spark.base.errors import ConfigError, TableNotFoundError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lake.tables import Lake


def trace_edge(
    lake: Lake,
    config: Config,
    item: str,
    neighbor: str,
    variant: str = "llm_i2i",
    backbone: str = BACKBONE.name,
    limit: int = 20,
    version: int | None = None,
) -> EdgeTrace:
    """Follow a neighbour in the index back to its evidence.

    Args:
        lake: the tables.
        config: Swing's a1, a2 and b, and the length and folds of histories, where the run records
            do not hold them.
        item: whose list it is.
        neighbor: the item in that list.
        variant: what the index was made from.
        backbone: what it was made with.
        limit: how many users to list, largest contribution first; the others are counted.
        version: of the table `item_index`; None for the latest.

    Raises:
        UserError: the backbone or the variant is unknown, the backbone's similarities cannot be
            taken apart by users, or the item has no such neighbour in the index.
        TableNotFoundError: variant or version is not in the index, a version cannot be read any
            more, or a commit upstream carries no run record.
        StageError: the index names an edge that the similarities it was made from do not hold.
    """
    if find_backbone(backbone) is not BACKBONE:
        raise ConfigError(
            f"audit trace takes a similarity of Swing apart, and {backbone} is another backbone."
        )
    edge, lineage = EdgeKey(variant, backbone, item, neighbor), Lineage(lake)
    index = _index(lineage, edge, version)
    versions = lineage.upstream(index)
    catalogue = _catalogue(lineage, versions)
    served = find_entry(lineage, index, catalogue, edge)
    similarity = recorded(lineage.input_of(index, "item_similarity"))
    fused = recorded(lineage.input_of(similarity, "fused"))
    stored = find_similarity(lineage, similarity, edge)
    rows = rows_of_users(lineage, fused, edge)
    used = recorded_settings(similarity, config) or config
    parts = contributions(rows, edge, used.i2i.swing)
    users = sorted(parts, key=lambda user: (-parts[user], user))[: max(limit, 0)]
    ends = rows_at_ends(rows, edge, users)
    synthetic = [pair for pair, row in ends.items() if row["source"] == "synthetic"]
    origins = trace_synthetic(lineage, fused, config, synthetic)
    listed = evidence(edge, users, ends, origins, parts)
    return EdgeTrace(
        edge=edge,
        titles=find_titles(lineage, catalogue, _named_items(edge, origins.values())),
        served=served,
        similarity=compare(stored, sum(sorted(parts.values())), similarity, rows, config),
        users=listed,
        n_users=len(parts),
        rest_share=_rest_share(listed, len(parts)),
        versions=versions,
    )


def _index(lineage: Lineage, edge: EdgeKey, version: int | None) -> Origin:
    scope = {"variant": edge.variant, "backbone": edge.backbone}
    index = lineage.find("item_index", scope, version)
    if index is None:
        raise TableNotFoundError("There is no table item_index yet; run stage index first.")
    return index


def _catalogue(lineage: Lineage, versions: Sequence[Origin]) -> Origin | None:
    """The version of `items` upstream; the latest where there is none, as for variant `real`."""
    found = [origin for origin in versions if origin.table == "items"]
    return max(found, key=lambda one: one.version) if found else lineage.find("items", {})


def _rest_share(listed: Sequence[UserEvidence], n_users: int) -> float:
    """The share of the similarity that is due to the users who are not listed."""
    if len(listed) == n_users:
        return 0.0
    return max(1.0 - sum(user.share for user in listed), 0.0)


def _named_items(edge: EdgeKey, origins: Iterable[SyntheticOrigin]) -> list[str]:
    """Every item whose title the trace needs."""
    proposals = [origin.proposal for origin in origins if origin.proposal]
    histories = [entry.item_id for one in proposals for entry in one.prompt.history]
    return sorted({edge.item_id, edge.neighbor_id, *histories})
