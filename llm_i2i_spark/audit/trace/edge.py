"""What a trace finds out about one edge of the index, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from llm_i2i_spark.audit.lineage import Origin


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
    """The edge as `item_similarity` holds it, and what comes out when it is computed again from the
    users' rows.

    Attributes:
        stored: in the table.
        support: users behind it, as the table has it.
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
class Checkpoint:
    """A fine-tuned model.

    Attributes:
        role: generator or discriminator.
        digest: sha256 over its files.
        path: its folder; None where the recorded version of `checkpoints` names no such model.
        export_version: version of its training examples; None likewise.
    """

    role: str
    digest: str
    path: str | None
    export_version: int | None


@dataclass(frozen=True)
class HistoryItem:
    """One item of a user's history, with the text by which prompts show it."""

    item_id: str
    text: str


@dataclass(frozen=True)
class Prompt:
    """The generator's input for a user.

    Attributes:
        history: oldest first, from the tables at the versions that the generator read.
        digest: of the wording, as the candidate carries it.
        layout: `instruct`, `sequence`, or `unknown` where the wording is not one of this version of
            the package.
        text: the wording around the items, without the base model's chat markers; empty where the
            wording is unknown.
        as_recorded: whether the history is cut by the generator's own settings; if not, by those
            given, and it may have been cut otherwise.
    """

    history: tuple[HistoryItem, ...]
    digest: str
    layout: str
    text: str
    as_recorded: bool


@dataclass(frozen=True)
class Proposal:
    """The generator's part in a synthetic row.

    Attributes:
        rank: of the item among the user's candidates, from 1.
        log_prob: natural logarithm of its probability.
        model: the generator.
        decode_digest: of the settings of decoding.
        prompt: the generator's input.
    """

    rank: int
    log_prob: float
    model: Checkpoint
    decode_digest: str
    prompt: Prompt


@dataclass(frozen=True)
class DiscriminatorScore:
    """The discriminator's part in a synthetic row.

    Attributes:
        p_yes: probability of the label Yes.
        confidence: calibrated probability that the user takes the item.
        decision: whether the label is Yes.
        model: the discriminator.
        prompt_digest: of the wording of its prompt.
    """

    p_yes: float
    confidence: float
    decision: bool
    model: Checkpoint
    prompt_digest: str


@dataclass(frozen=True)
class SyntheticOrigin:
    """Both models' parts in one synthetic row; None where the recorded versions hold none (some
    variants leave one out).
    """

    proposal: Proposal | None
    judgement: DiscriminatorScore | None


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
class EdgeTrace:
    """All that stands behind one neighbour of one item.

    Attributes:
        edge: which.
        titles: of every item that the trace names, by id, where the catalogue has one.
        served: the neighbour in the index.
        similarity: stored and recomputed.
        users: the largest contributions first.
        n_users: all users behind the edge, listed or not.
        rest_share: the share of the similarity that is due to those not listed.
        versions: every result upstream, from the index back to the click log.
    """

    edge: EdgeKey
    titles: dict[str, str]
    served: IndexEntry
    similarity: Similarity
    users: tuple[UserEvidence, ...]
    n_users: int
    rest_share: float
    versions: tuple[Origin, ...]
