"""From one neighbour in the index back to the components, users, candidates, prompts and
checkpoints behind it.

Every table is read at the version, and every result recomputed with the settings, that the run
records name, so a trace shows what was used, whatever was written since.
"""

from __future__ import annotations

from collections.abc import Sequence

from llm_i2i_spark.audit.lineage import Lineage, Origin, recorded
from llm_i2i_spark.audit.trace.edge import EdgeKey, EdgeTrace, Evidence, Similarity, users_of
from llm_i2i_spark.audit.trace.evidence import Request, find_evidence
from llm_i2i_spark.audit.trace.served import find_entry, find_titles
from llm_i2i_spark.audit.trace.similarity import find_similarity
from llm_i2i_spark.backbones import Swing, find_backbone
from llm_i2i_spark.base.errors import TableNotFoundError
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lake.tables import Lake


def trace_edge(
    lake: Lake,
    config: Config,
    item: str,
    neighbor: str,
    variant: str = "llm_i2i",
    backbone: str = Swing.name,
    limit: int = 20,
    version: int | None = None,
) -> EdgeTrace:
    """Follow a neighbour in the index back to its evidence.

    Args:
        lake: the tables.
        config: the backbone's parameters, and the length and folds of histories, where the run
            records do not hold them.
        item: whose list it is.
        neighbor: the item in that list.
        variant: what the index was made from.
        backbone: what it was made with.
        limit: how many users to list, largest contribution first; the others are counted.
        version: of the table `item_index`; None for the latest.

    Raises:
        UserError: the backbone or the variant is unknown, or the item has no such neighbour in the
            index.
        TableNotFoundError: variant or version is not in the index, a version cannot be read any
            more, or a commit upstream carries no run record.
        StageError: the index names an edge that the similarities it was made from do not hold.
    """
    find_backbone(backbone)
    edge, lineage = EdgeKey(variant, backbone, item, neighbor), Lineage(lake)
    index = _index(lineage, edge, version)
    versions = lineage.upstream(index)
    catalogue = _catalogue(lineage, versions)
    served = find_entry(lineage, index, catalogue, edge)
    similarity = recorded(lineage.input_of(index, "item_similarity"))
    stored = find_similarity(lineage, similarity, edge)
    evidence = find_evidence(Request(lineage, config, edge, similarity, stored, limit))
    return EdgeTrace(
        edge=edge,
        titles=find_titles(lineage, catalogue, _named_items(edge, evidence)),
        served=served,
        similarity=Similarity(stored["similarity"], stored["support"], stored["synthetic_share"]),
        evidence=evidence,
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


def _named_items(edge: EdgeKey, evidence: Evidence | None) -> list[str]:
    """Every item whose title the trace needs."""
    users = users_of(evidence)
    ends = [end for user in users.listed for end in (user.item, user.neighbor)] if users else []
    proposals = [end.origin.proposal for end in ends if end.origin and end.origin.proposal]
    histories = [entry.item_id for one in proposals for entry in one.prompt.history]
    return sorted({edge.item_id, edge.neighbor_id, *histories})
