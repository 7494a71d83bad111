"""What a trace finds out about a synthetic interaction: the parts of both models, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


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
class RetrievedExample:
    """A step of a similar user that voted for a synthetic row.

    Attributes:
        example_id: in the table `in_context_examples`.
        user_id: whose step.
        similarity: of the example and the user's history, -1 to 1.
        share: of the votes of all examples that were retrieved for the user.
        reason_id: the earlier item behind the step.
        reasoning: the step in words.
    """

    example_id: str
    user_id: str
    similarity: float
    share: float
    reason_id: str
    reasoning: str


@dataclass(frozen=True)
class Retrieval:
    """The part of similar users in a synthetic row.

    Attributes:
        rank: of the item among those retrieved for the user, from 1.
        share: of the votes.
        model: the generator, by which users and examples are compared.
        examples: that voted for the item, the most similar first.
    """

    rank: int
    share: float
    model: Checkpoint
    examples: tuple[RetrievedExample, ...]


@dataclass(frozen=True)
class SyntheticOrigin:
    """What is behind one synthetic row: both models' parts, or, for variant `llm_cf`, the examples
    that were retrieved; None where the recorded versions hold none (some variants leave one out).
    """

    proposal: Proposal | None
    judgement: DiscriminatorScore | None
    retrieval: Retrieval | None = None
