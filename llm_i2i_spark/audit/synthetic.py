"""Behind a synthetic row: what the generator was shown and proposed, what the discriminator said,
and which files they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Row
from pyspark.sql import functions as F

from llm_i2i_spark.audit.lineage import Lineage, Origin, collect
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.lake.user_histories import build_histories
from llm_i2i_spark.prompts.render import render_item
from llm_i2i_spark.prompts.templates import GENERATOR, prompt_digest


@dataclass(frozen=True)
class Model:
    """A checkpoint: its digest, and where the recorded version of the table `checkpoints` says it
    is.

    Attributes:
        path: its folder; None where that table names no such model.
        export_version: the version of its training examples.
    """

    role: str
    digest: str
    path: str | None
    export_version: int | None


@dataclass(frozen=True)
class Shown:
    """One item of a history as the generator was shown it."""

    item_id: str
    text: str


@dataclass(frozen=True)
class Prompt:
    """What the generator was shown of a user.

    Attributes:
        history: oldest first, from the tables at the versions that the generator read.
        digest: of the wording, as the candidate carries it.
        layout: `instruct`, `sequence`, or `unknown` where the wording is not one of this version of
            the package.
        text: the wording around the items, without the base model's chat markers; empty where the
            wording is unknown.
        as_recorded: whether the settings given are the generator's own; if not, the history may
            have been cut otherwise.
    """

    history: tuple[Shown, ...]
    digest: str
    layout: str
    text: str
    as_recorded: bool


@dataclass(frozen=True)
class Proposal:
    """The generator's part: the item's rank among the user's candidates, from 1, and its natural
    log-probability.
    """

    rank: int
    log_prob: float
    model: Model
    decode_digest: str
    prompt: Prompt


@dataclass(frozen=True)
class Judgement:
    """The discriminator's part: P(Yes), the calibrated confidence, and whether the answer is Yes."""

    p_yes: float
    confidence: float
    decision: bool
    model: Model
    prompt_digest: str


@dataclass(frozen=True)
class SyntheticOrigin:
    """Both models' parts in one synthetic row; None where the recorded versions hold none (some
    variants leave one out).
    """

    proposal: Proposal | None
    judgement: Judgement | None


Pair = tuple[str, str]


def trace_synthetic(
    lake: Lake, lineage: Lineage, fused: Origin, config: Config, pairs: Sequence[Pair]
) -> dict[Pair, SyntheticOrigin]:
    """What is behind synthetic rows of `fused`, by (user_id, item_id).

    Args:
        lake: the tables.
        lineage: their histories.
        fused: the version whose rows are asked about.
        config: settings that say how long a history is and which folds it comes from.
        pairs: (user_id, item_id) of the rows.

    Raises:
        UserError: a version on the way cannot be read any more or carries no run record.
    """
    if not pairs:
        return {}
    judgements: dict[Pair, Judgement] = {}
    from_fused = lineage.input_version(fused, "candidates")
    if lineage.input_version(fused, "scored") is not None:
        scored = lineage.input_of(fused, "scored")
        judgements = _judgements(lake, lineage, scored, pairs)
        candidates = lineage.input_of(scored if from_fused is None else fused, "candidates")
    else:
        candidates = lineage.input_of(fused, "candidates")
    proposals = _proposals(lake, lineage, candidates, config, pairs)
    return {pair: SyntheticOrigin(proposals.get(pair), judgements.get(pair)) for pair in pairs}


def _judgements(
    lake: Lake, lineage: Lineage, scored: Origin, pairs: Sequence[Pair]
) -> dict[Pair, Judgement]:
    models = _models(lake, lineage, scored, "discriminator")
    rows = _rows_of(lake, scored, pairs, "source = 'synthetic'")
    return {
        pair: Judgement(
            p_yes=row["p_yes"],
            confidence=row["confidence"],
            decision=row["decision"],
            model=models.get(
                row["model_digest"], Model("discriminator", row["model_digest"], None, None)
            ),
            prompt_digest=row["prompt_digest"],
        )
        for pair, row in rows.items()
    }


def _proposals(
    lake: Lake, lineage: Lineage, candidates: Origin, config: Config, pairs: Sequence[Pair]
) -> dict[Pair, Proposal]:
    models = _models(lake, lineage, candidates, "generator")
    rows = _rows_of(lake, candidates, pairs, "true")
    histories = _histories(lake, lineage, candidates, config, sorted({user for user, _ in rows}))
    record = candidates.record
    assert record is not None
    proposals = {}
    for pair, row in rows.items():
        as_recorded = (
            row["decode_digest"] == config.decode_digest and record.config_digest == config.digest()
        )
        proposals[pair] = Proposal(
            rank=row["rank"],
            log_prob=row["log_prob"],
            model=models.get(
                row["model_digest"], Model("generator", row["model_digest"], None, None)
            ),
            decode_digest=row["decode_digest"],
            prompt=_prompt(histories.get(pair[0], ()), row["prompt_digest"], as_recorded),
        )
    return proposals


def _rows_of(lake: Lake, origin: Origin, pairs: Sequence[Pair], condition: str) -> dict[Pair, Row]:
    """Rows of `scored` or `candidates` for the pairs asked about."""
    users, items = sorted({user for user, _ in pairs}), sorted({item for _, item in pairs})
    frame = (
        lake.read(origin.table, origin.version, origin.scope)
        .where(condition)
        .where(F.col("user_id").isin(users) & F.col("item_id").isin(items))
    )
    return {
        (row["user_id"], row["item_id"]): row
        for row in collect(lake, frame, {origin.table: origin.version})
    }


def _models(lake: Lake, lineage: Lineage, origin: Origin, role: str) -> dict[str, Model]:
    """The checkpoints of a role that `origin` could choose from, by digest."""
    version = lineage.input_version(origin, "checkpoints")
    if version is None:
        return {}
    frame = (
        lake.read("checkpoints", version, lineage.input_scope(origin, "checkpoints"))
        .where(F.col("role") == role)
        .select("model_digest", "path", "export_version")
    )
    rows = collect(lake, frame, {"checkpoints": version})
    return {
        row["model_digest"]: Model(role, row["model_digest"], row["path"], row["export_version"])
        for row in rows
    }


def _histories(
    lake: Lake, lineage: Lineage, candidates: Origin, config: Config, users: Sequence[str]
) -> dict[str, tuple[Shown, ...]]:
    """The users' histories, built by the function that the generate stage builds them with, at the
    versions that it read.
    """
    versions = {
        table: lineage.input_version(candidates, table) for table in ("interactions", "items")
    }
    pinned = {table: version for table, version in versions.items() if version is not None}
    if len(pinned) < len(versions):
        return {}
    interactions = lake.read("interactions", pinned["interactions"]).where(
        F.col("user_id").isin(list(users))
    )
    items = lake.read("items", pinned["items"])
    frame = build_histories(interactions, items, config.model_folds, config.export.history_length)
    rows = collect(lake, frame, pinned)
    return {
        row["user_id"]: tuple(Shown(entry["item_id"], entry["text"]) for entry in row["history"])
        for row in rows
    }


def _prompt(history: tuple[Shown, ...], digest: str, as_recorded: bool) -> Prompt:
    """The wording with the digest that the candidate carries, around the history; an item's own
    tokens stand as its id in brackets.
    """
    if digest == prompt_digest("sequence", GENERATOR):
        return Prompt(
            history,
            digest,
            "sequence",
            "".join(f"[{item.item_id}]" for item in history),
            as_recorded,
        )
    if digest == prompt_digest("instruct", GENERATOR):
        items = "".join(
            render_item(GENERATOR.item, item.text) + f"[{item.item_id}]" for item in history
        )
        return Prompt(
            history, digest, "instruct", GENERATOR.before + items + GENERATOR.after, as_recorded
        )
    return Prompt(history, digest, "unknown", "", as_recorded)
