"""What makes up a similarity, by the backbone that it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Row
from pyspark.sql import functions as F

from llm_i2i_spark.audit.lineage import Lineage, Origin, recorded
from llm_i2i_spark.audit.trace.edge import (
    AttributionEvidence,
    BlendEvidence,
    Component,
    EdgeKey,
    Evidence,
    GeneratedEvidence,
    SwingEvidence,
    UserGroup,
)
from llm_i2i_spark.audit.trace.recorded_settings import recorded_settings
from llm_i2i_spark.audit.trace.similarity import compare, other_settings, swing_doubts
from llm_i2i_spark.audit.trace.synthetic import trace_synthetic
from llm_i2i_spark.audit.trace.users import (
    UserItem,
    attributions,
    contributions,
    evidence,
    rows_at_ends,
    rows_of_listed,
    rows_of_users,
)
from llm_i2i_spark.backbones import Attribution, Blend, Swing
from llm_i2i_spark.config.config import Config


@dataclass(frozen=True)
class Request:
    """What is asked about a similarity.

    Attributes:
        lineage: of the lake.
        config: the settings given, where the run records do not hold them.
        edge: which.
        similarity: the result in `item_similarity`.
        stored: the edge's row of it.
        limit: how many users to list.
    """

    lineage: Lineage
    config: Config
    edge: EdgeKey
    similarity: Origin
    stored: Row
    limit: int

    @property
    def fused(self) -> Origin:
        """The interactions that it was made from.

        Raises:
            TableNotFoundError: the commit carries no run record.
        """
        return recorded(self.lineage.input_of(self.similarity, "fused"))

    @property
    def used(self) -> Config:
        """The settings that it was made with."""
        return recorded_settings(self.similarity, self.config) or self.config


def find_evidence(request: Request) -> Evidence | None:
    """What makes up the similarity; None for backbones whose similarities cannot be taken apart.

    Raises:
        TableNotFoundError: a version upstream cannot be read any more or carries no run record.
    """
    backbone = request.edge.backbone
    if backbone == Swing.name:
        return _of_swing(request)
    if backbone == Attribution.name:
        return _of_attribution(request, request.used.i2i.attribution, request.stored["similarity"])
    if backbone == Blend.name:
        return _of_blend(request)
    return None


def _of_swing(request: Request) -> SwingEvidence:
    edge = request.edge
    rows = rows_of_users(request.lineage, request.fused, edge)
    parts = contributions(rows, edge, request.used.i2i.swing)
    ends = rows_at_ends(rows, edge, _largest(parts, request.limit))
    recomputed = compare(
        request.stored["similarity"],
        sum(sorted(parts.values())),
        swing_doubts(request.similarity, rows, request.config),
    )
    return SwingEvidence(_users(request, parts, ends), recomputed)


def _of_attribution(
    request: Request, attribution: Attribution, stored: float | None
) -> AttributionEvidence:
    """Behind a similarity of attribution; `stored` is None within a blend."""
    lineage, fused = request.lineage, request.fused
    parts, total = attributions(lineage, fused, request.edge, attribution)
    listed = _largest(parts, request.limit)
    ends = rows_of_listed(lineage, fused, request.edge, listed)
    recomputed = None
    if stored is not None:
        probability = sum(sorted(parts.values())) / total if total else 0.0
        doubts = other_settings(request.similarity, request.config)
        recomputed = compare(stored, probability, doubts)
    return AttributionEvidence(_users(request, parts, ends), recomputed)


def _of_blend(request: Request) -> BlendEvidence:
    lineage, similarity, edge = request.lineage, request.similarity, request.edge
    clicked = (F.col("item_id") == edge.item_id) & (F.col("source") == "real")
    counted = lineage.frame(similarity, "fused", clicked).agg(F.count("*").alias("clicks"))
    clicks = lineage.collect(counted, similarity, "fused")[0]["clicks"]
    weights: dict[int, dict[str, float]] = {}
    for row in lineage.read(similarity, "mixtures"):
        weights.setdefault(row["least_clicks"], {})[row["component"]] = row["weight"]
    least = max(bound for bound in weights if bound <= clicks)
    above = [bound for bound in weights if bound > clicks]
    named = {part["component"]: part["share"] for part in request.stored["components"] or ()}
    attribution = None
    if Attribution.name in named:
        attribution = _of_attribution(request, request.used.i2i.blend.of_attribution(), None)
    return BlendEvidence(
        clicks=clicks,
        least_clicks=least,
        most_clicks=min(above) - 1 if above else None,
        components=_components(named, weights[least]),
        attribution=attribution,
        generated=_of_generated(request) if "generated" in named else None,
    )


def _of_generated(request: Request) -> GeneratedEvidence | None:
    edge, table = request.edge, "item_candidates"
    pair = (F.col("item_id") == edge.item_id) & (F.col("neighbor_id") == edge.neighbor_id)
    for row in request.lineage.read(request.similarity, table, pair):
        return GeneratedEvidence(
            row["rank"], row["log_prob"], row["model_digest"], row["prompt_digest"]
        )
    return None


def _components(named: Mapping[str, float], weights: Mapping[str, float]) -> tuple[Component, ...]:
    others = sorted(set(weights) - set(named), key=lambda name: (-weights[name], name))
    return tuple(
        Component(name, named.get(name), weights.get(name, 0.0)) for name in (*named, *others)
    )


def _largest(parts: Mapping[str, float], limit: int) -> list[str]:
    return sorted(parts, key=lambda user: (-parts[user], user))[: max(limit, 0)]


def _users(request: Request, parts: Mapping[str, float], ends: Mapping[UserItem, Row]) -> UserGroup:
    """The users with the largest parts, with what is behind their synthetic rows."""
    pairs = [pair for pair, row in ends.items() if row["source"] == "synthetic"]
    origins = trace_synthetic(request.lineage, request.fused, request.config, pairs)
    listed = evidence(request.edge, _largest(parts, request.limit), ends, origins, parts)
    rest = 0.0 if len(listed) == len(parts) else max(1.0 - sum(one.share for one in listed), 0.0)
    return UserGroup(listed, len(parts), rest)
