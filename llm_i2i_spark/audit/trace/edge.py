"""What a trace finds out about one edge of the index, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llm_i2i_spark.audit.lineage import Origin
from llm_i2i_spark.audit.trace.synthetic_origin import SyntheticOrigin

ADDS_UP = 1e-9
"""Relative difference up to which the parts add up: the stored similarity is rounded to 42 bits
(2e-13).
"""


@dataclass(frozen=True)
class EdgeKey:
    """One neighbour in one list of the index."""

    variant: str
    backbone: str
    item_id: str
    neighbor_id: str


@dataclass(frozen=True)
class IndexEntry:
    """The neighbour as the index holds it.

    Attributes:
        score: after damping and normalisation.
        rank: from 1.
        neighbors: how many the item's list has.
    """

    score: float
    rank: int
    neighbors: int


@dataclass(frozen=True)
class Similarity:
    """The edge as `item_similarity` holds it.

    Attributes:
        stored: in the table.
        support: users behind it; None where the backbone does not count them.
        synthetic_share: of the similarity, the part that synthetic interactions make up, of a blend
            all that comes from language models alone; None where the backbone cannot tell.
    """

    stored: float
    support: int | None
    synthetic_share: float | None


@dataclass(frozen=True)
class Interaction:
    """One of the two rows of `fused` by which a user joins the items.

    Attributes:
        item_id: which of the two items.
        source: `real` or `synthetic`.
        weight: e, in (0, 1].
        confidence: of a synthetic row the calibrated one, of a real row the discriminator's p_yes;
            None where the discriminator did not score it.
        ts: of a real interaction, UTC, ISO 8601.
        position: of a real interaction, 0-based rank in the user's history.
        origin: of a synthetic row.
    """

    item_id: str
    source: str
    weight: float
    confidence: float | None
    ts: str | None
    position: int | None
    origin: SyntheticOrigin | None


@dataclass(frozen=True)
class UserEvidence:
    """A user who has both items.

    Attributes:
        user_id: who.
        contribution: the part of the similarity that is due to the user.
        share: the same as a share of the similarity.
        item: the user's row with the item.
        neighbor: the user's row with the neighbour.
    """

    user_id: str
    contribution: float
    share: float
    item: Interaction
    neighbor: Interaction


@dataclass(frozen=True)
class UserGroup:
    """The users behind a similarity.

    Attributes:
        listed: the largest contributions first.
        total: all of them, listed or not.
        rest_share: the share of the similarity that is due to those not listed.
    """

    listed: tuple[UserEvidence, ...]
    total: int
    rest_share: float


@dataclass(frozen=True)
class Recomputed:
    """A similarity as it comes out when it is computed again from the users' rows.

    Attributes:
        similarity: from all users' contributions.
        relative_difference: |similarity - stored| / stored.
        adds_up: whether that is within rounding (`ADDS_UP`).
        doubts: where it does not, sentences on what may set them apart.
    """

    similarity: float
    relative_difference: float
    adds_up: bool
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class SwingEvidence:
    """Behind a similarity of Swing: users who have both items.

    Attributes:
        users: each with the part of the similarity that is due to them.
        recomputed: the sum of all users' contributions.
        kind: tells the kinds of evidence apart in JSON.
    """

    users: UserGroup
    recomputed: Recomputed
    kind: Literal["swing"] = "swing"


@dataclass(frozen=True)
class AttributionEvidence:
    """Behind a similarity of attribution: users who clicked the item lately, and to whom the models
    propose the neighbour.

    Attributes:
        users: each with w(i | u) confidence ** exponent.
        recomputed: the sum of these as a share of that of all neighbours of the item; None within a
            blend, where nothing is stored to compare it with.
        kind: tells the kinds of evidence apart in JSON.
    """

    users: UserGroup
    recomputed: Recomputed | None
    kind: Literal["attribution"] = "attribution"


@dataclass(frozen=True)
class Component:
    """A component of a blend.

    Attributes:
        name: of the component.
        share: its part of the mixture for this edge; None where it is not among the largest, which
            are those that the table names.
        weight: what the mixture gives it for items of so many clicks.
    """

    name: str
    share: float | None
    weight: float


@dataclass(frozen=True)
class GeneratedEvidence:
    """Behind the component `generated`: what the generator, asked about the item alone, says of the
    neighbour.

    Attributes:
        rank: of the neighbour among its proposals, from 1.
        log_prob: natural logarithm of its probability.
        model_digest: of the generator.
        prompt_digest: of the wording of the prompt.
    """

    rank: int
    log_prob: float
    model_digest: str
    prompt_digest: str


@dataclass(frozen=True)
class BlendEvidence:
    """Behind a similarity of a blend: its components, and the mixture that weighs them.

    Attributes:
        clicks: real interactions with the item, by which it has its weights.
        least_clicks: of the items that have the same weights.
        most_clicks: likewise; None without a limit.
        components: those that the table names first, by share; then the others, by weight.
        attribution: behind the component of that name; None where it is not among those named.
        generated: likewise.
        kind: tells the kinds of evidence apart in JSON.
    """

    clicks: int
    least_clicks: int
    most_clicks: int | None
    components: tuple[Component, ...]
    attribution: AttributionEvidence | None
    generated: GeneratedEvidence | None = None
    kind: Literal["blend"] = "blend"


Evidence = SwingEvidence | AttributionEvidence | BlendEvidence


@dataclass(frozen=True)
class EdgeTrace:
    """All that stands behind one neighbour of one item.

    Attributes:
        edge: which.
        titles: of every item that the trace names, by id, where the catalogue has one.
        served: the neighbour in the index.
        similarity: as it is stored.
        evidence: what makes it up; None for backbones whose similarities cannot be taken apart.
        versions: every result upstream, from the index back to the click log.
    """

    edge: EdgeKey
    titles: dict[str, str]
    served: IndexEntry
    similarity: Similarity
    evidence: Evidence | None
    versions: tuple[Origin, ...]

    @property
    def users(self) -> UserGroup | None:
        """The users behind the edge; None where it is not made up of users."""
        return users_of(self.evidence)


def users_of(evidence: Evidence | None) -> UserGroup | None:
    """The users of some evidence; None where there are none, or it is not made up of users."""
    if isinstance(evidence, BlendEvidence):
        evidence = evidence.attribution
    return evidence.users if evidence is not None else None
