"""What a trace of one edge of the index says, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from llm_i2i_spark.audit.lineage import Origin
from llm_i2i_spark.audit.synthetic import SyntheticOrigin


@dataclass(frozen=True)
class EdgeKey:
    """One neighbour in one list of the index."""

    variant: str
    backbone: str
    item_id: str
    neighbor_id: str


@dataclass(frozen=True)
class Served:
    """What the index says of the edge: its score, its rank from 1, and how many neighbours the item
    has there.
    """

    score: float
    rank: int
    neighbors: int


@dataclass(frozen=True)
class Similarity:
    """What `item_similarity` says of the edge, and what comes out when it is computed again from
    the users' rows.

    Attributes:
        stored: in the table.
        support: users behind it, as the table says.
        synthetic_share: of the similarity, the part from user pairs with a synthetic row.
        recomputed: the sum of all users' contributions.
        relative_difference: |recomputed - stored| / stored.
        adds_up: whether that is within rounding.
        doubts: where it does not, sentences on what may set them apart.
    """

    stored: float
    support: int
    synthetic_share: float
    recomputed: float
    relative_difference: float
    adds_up: bool
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class Interaction:
    """One of the two rows of `fused` by which a user joins the items.

    Attributes:
        source: `real` or `synthetic`.
        weight: e, in (0, 1].
        confidence: of a synthetic row the calibrated one, of a real row the discriminator's p_yes;
            None where it said nothing.
        ts: of a real click, UTC, ISO 8601.
        position: of a real click, among the user's.
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
    """A user who has both items: the part of the similarity that is due to the user, as a number
    and as a share, and both rows.
    """

    user_id: str
    contribution: float
    share: float
    item: Interaction
    neighbor: Interaction


@dataclass(frozen=True)
class EdgeTrace:
    """All that is behind one neighbour of one item.

    Attributes:
        titles: of every item that the trace names, by id, where the catalogue has one.
        users: the heaviest contributions first.
        n_users: all users behind the edge, listed or not.
        rest_share: the share of the similarity that is due to those not listed.
        versions: of every table on the way, from the index back to the log.
    """

    edge: EdgeKey
    titles: dict[str, str]
    served: Served
    similarity: Similarity
    users: tuple[UserEvidence, ...]
    n_users: int
    rest_share: float
    versions: tuple[Origin, ...]
