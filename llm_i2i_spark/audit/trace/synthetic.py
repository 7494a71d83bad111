"""Behind a synthetic row: the generator's proposal with its prompt, the discriminator's score, and
the checkpoints of both; or the retrieved examples that voted for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyspark.sql import Row
from pyspark.sql import functions as F

from llm_i2i_spark.audit.lineage import Lineage, Origin, recorded
from llm_i2i_spark.audit.trace.checkpoints import find_checkpoints, named_checkpoint
from llm_i2i_spark.audit.trace.recorded_settings import recorded_settings
from llm_i2i_spark.audit.trace.retrieval import trace_retrieval
from llm_i2i_spark.audit.trace.synthetic_origin import (
    DiscriminatorScore,
    HistoryItem,
    Prompt,
    Proposal,
    SyntheticOrigin,
)
from llm_i2i_spark.audit.trace.users import UserItem
from llm_i2i_spark.base.json_digest import json_digest
from llm_i2i_spark.config.aliases import RENAMED
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lake.user_histories import build_histories
from llm_i2i_spark.prompts.render import render_item
from llm_i2i_spark.prompts.templates import GENERATOR, prompt_digest


def trace_synthetic(
    lineage: Lineage, fused: Origin, config: Config, pairs: Sequence[UserItem]
) -> dict[UserItem, SyntheticOrigin]:
    """What is behind synthetic rows of `fused`, by (user_id, item_id).

    Args:
        lineage: of the lake.
        fused: the version whose rows are asked about.
        config: settings that say how long a history is and which folds it comes from, where the run
            records do not.
        pairs: (user_id, item_id) of the rows.

    Raises:
        TableNotFoundError: a version upstream cannot be read any more or carries no run record.
    """
    if not pairs:
        return {}
    retrieved = lineage.find_input(fused, "retrieved")
    if retrieved is not None:
        votes = trace_retrieval(lineage, retrieved, pairs)
        return {pair: SyntheticOrigin(None, None, votes.get(pair)) for pair in pairs}
    scores = _scores(lineage, fused, pairs)
    proposals = _proposals(lineage, fused, config, pairs)
    return {pair: SyntheticOrigin(proposals.get(pair), scores.get(pair)) for pair in pairs}


def _scores(
    lineage: Lineage, fused: Origin, pairs: Sequence[UserItem]
) -> dict[UserItem, DiscriminatorScore]:
    scored = lineage.find_input(fused, "scored")
    if scored is None:
        return {}
    recorded(scored)
    models = find_checkpoints(lineage, scored, "discriminator")
    rows = _rows_of(lineage, scored, pairs)
    return {
        pair: DiscriminatorScore(
            p_yes=row["p_yes"],
            confidence=row["confidence"],
            decision=row["decision"],
            model=named_checkpoint(models, "discriminator", row["model_digest"]),
            prompt_digest=row["prompt_digest"],
        )
        for pair, row in rows.items()
        if row["source"] == "synthetic"
    }


def _proposals(
    lineage: Lineage, fused: Origin, config: Config, pairs: Sequence[UserItem]
) -> dict[UserItem, Proposal]:
    candidates = recorded(lineage.input_of(fused, "candidates"))
    used = recorded_settings(candidates, config) or config
    models = find_checkpoints(lineage, candidates, "generator")
    rows = _rows_of(lineage, candidates, pairs)
    users, shown = sorted({user for user, _ in rows}), _items_shown(candidates, used, rows.values())
    histories = _histories(lineage, candidates, used, users, shown)
    digests = _decode_digests(used)
    return {
        pair: Proposal(
            rank=row["rank"],
            log_prob=row["log_prob"],
            model=named_checkpoint(models, "generator", row["model_digest"]),
            decode_digest=row["decode_digest"],
            prompt=_prompt(
                histories.get(pair[0], ()), row["prompt_digest"], row["decode_digest"] in digests
            ),
        )
        for pair, row in rows.items()
    }


def _rows_of(lineage: Lineage, origin: Origin, pairs: Sequence[UserItem]) -> dict[UserItem, Row]:
    """Rows of `scored` or `candidates` for the pairs asked about."""
    users, items = sorted({user for user, _ in pairs}), sorted({item for _, item in pairs})
    asked = F.col("user_id").isin(users) & F.col("item_id").isin(items)
    rows = lineage.read(origin, origin.table, asked)
    return {(row["user_id"], row["item_id"]): row for row in rows}


def _histories(
    lineage: Lineage, candidates: Origin, config: Config, users: Sequence[str], shown: int
) -> dict[str, tuple[HistoryItem, ...]]:
    """The users' histories, built by the function that the generate stage builds them with, at the
    versions that it read.
    """
    tables = ("interactions", "items")
    if any(lineage.find_input(candidates, table) is None for table in tables):
        return {}
    interactions = lineage.frame(candidates, "interactions", F.col("user_id").isin(list(users)))
    items = lineage.frame(candidates, "items")
    frame = build_histories(interactions, items, config.model_folds, shown)
    return {
        row["user_id"]: tuple(
            HistoryItem(entry["item_id"], entry["text"]) for entry in row["history"]
        )
        for row in lineage.collect(frame, candidates, *tables)
    }


def _items_shown(candidates: Origin, config: Config, rows: Iterable[Row]) -> int:
    """How many of a user's latest items the generator was shown: in layout `sequence` as many as in
    training, where the record says how many that were; before it did, as in the other layout.
    """
    settings = candidates.record.settings if candidates.record is not None else {}
    sequence = prompt_digest("sequence", GENERATOR)
    if "export.sequence_length" in settings and any(
        row["prompt_digest"] == sequence for row in rows
    ):
        return config.export.sequence_length
    return config.export.history_length


def _decode_digests(config: Config) -> tuple[str, str]:
    """The digest of the settings of decoding as this version writes it, and as version 0.1 did,
    which had other names for two of them.
    """
    keys = ("generate.per_user", "export.history_length", "split.protocol", "split.holdout")
    old_names = {new: old for old, new in RENAMED.items()}
    settings = {old_names.get(key, key): value for key, value in config.settings(*keys).items()}
    old = json_digest(settings)
    return config.decode_digest, old


def _prompt(history: tuple[HistoryItem, ...], digest: str, as_recorded: bool) -> Prompt:
    """The wording with the digest that the candidate carries, around the history; an item's own
    tokens stand as its id in brackets.
    """
    layout, text = "unknown", ""
    if digest == prompt_digest("sequence", GENERATOR):
        layout = "sequence"
        text = "".join(f"[{item.item_id}]" for item in history)
    elif digest == prompt_digest("instruct", GENERATOR):
        layout = "instruct"
        items = "".join(
            render_item(GENERATOR.item, item.text) + f"[{item.item_id}]" for item in history
        )
        text = GENERATOR.before + items + GENERATOR.after
    return Prompt(history, digest, layout, text, as_recorded)
