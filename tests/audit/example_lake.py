"""A lake with a history, small enough to check by hand: six users, four synthetic rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import combinations
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from llm_i2i_spark.backbones import Attribution, Swing
from llm_i2i_spark.base.variants import BASE_BRANCH
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.fuse.transform import (
    credible_real_rows,
    real_rows,
    retrieved_confidence,
    score_confidence,
    soft_rows,
)
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.prompts import templates
from tests.audit.commits import BASE, BLEND, LLM_I2I, REAL, SWING, OldWriter, Rows, Writer

Lists = Mapping[str, Mapping[str, float]]
Parts = dict[str, float]

GENERATOR, DISCRIMINATOR = "9e" * 32, "d1" * 32
CLICKS = {"u1": "ABC", "u2": "AC", "u3": "BD", "u4": "CDE", "u5": "AB", "u6": "ABE"}
SETTINGS = ("fuse.soft_weight_scale=0.1", "fuse.min_weight=0.01", "split.protocol=refit")
PROPOSED = {
    ("u2", "B"): (1, -1.5, 0.6, 0.08),
    ("u3", "A"): (2, -2.5, 0.4, 0.05),
    ("u4", "A"): (1, -0.5, 0.9, 0.3),
    ("u4", "B"): (3, -4.0, 0.2, 0.02),
}
"""(user, item) -> rank, log_prob, p_yes, calibrated confidence."""


def brute_force(lists: Lists, item: str, neighbor: str, swing: Swing) -> Parts:
    """Each user's half of every pair's term, straight from the definition."""
    weight = {user: (swing.a1 + sum(edges.values())) ** -swing.b for user, edges in lists.items()}
    both = [user for user, edges in lists.items() if item in edges and neighbor in edges]
    parts = dict.fromkeys(both, 0.0)
    for u, v in combinations(both, 2):
        strength = weight[u] * weight[v]
        for user in (u, v):
            strength *= lists[user][item] * lists[user][neighbor]
        term = strength / (swing.a2 + len(lists[u].keys() & lists[v].keys()))
        parts[u] += term / 2
        parts[v] += term / 2
    return parts


def _interactions(year: int) -> Rows:
    return [
        (
            user,
            item,
            datetime(year, 3, position + 1),
            position,
            "click",
            1.0,
            "test" if (user, item) == ("u5", "B") else "train",
            False,
        )
        for user, items in CLICKS.items()
        for position, item in enumerate(items)
    ]


def _items(word: str) -> Rows:
    return [
        (item, f"{word} {item}", "Brand", None, f"{word} {item}, by Brand", {}) for item in "ABCDEF"
    ]


def _item(item: str) -> dict[str, str]:
    return {"item_id": item, "text": f"Silver {item}"}


def _candidates(decode_digest: str, log_prob: float | None = None) -> Rows:
    return [
        # One user was read with the wording of layout instruct, so that both are in the history.
        (
            user,
            item,
            p[0],
            log_prob or p[1],
            GENERATOR,
            templates.prompt_digest(
                "instruct" if user == "u2" else "sequence", templates.GENERATOR
            ),
            decode_digest,
        )
        for (user, item), p in PROPOSED.items()
    ]


def _scored(confidence: float | None = None) -> Rows:
    digest = templates.prompt_digest("sequence", templates.DISCRIMINATOR)
    real = [("u1", "A", "real", 0.75, 0.75, True, DISCRIMINATOR, digest)]
    return real + [
        (user, item, "synthetic", p[2], confidence or p[3], p[2] >= 0.5, DISCRIMINATOR, digest)
        for (user, item), p in PROPOSED.items()
    ]


def _checkpoints(folder: str) -> Rows:
    return [
        ("generator", GENERATOR, f"{folder}/generator", "compact", 0, "{}"),
        ("discriminator", DISCRIMINATOR, f"{folder}/discriminator", "compact", 0, "{}"),
    ]


def _similarities(lists: dict[str, Lists], swing: Swing) -> Rows:
    rows = []
    for variant, of_variant in lists.items():
        items = sorted({item for edges in of_variant.values() for item in edges})
        for item in items:
            for neighbor in items:
                parts = brute_force(of_variant, item, neighbor, swing) if item != neighbor else {}
                if sum(parts.values()) > 0:
                    rows.append(
                        (
                            variant,
                            "swing",
                            item,
                            neighbor,
                            sum(parts.values()),
                            len(parts),
                            0.25 if variant == "llm_i2i" else 0.0,
                            None,
                        )
                    )
    return rows


def neighbor(item: str, score: float, rank: int) -> dict[str, Any]:
    return {"item_id": item, "score": score, "rank": rank, "synthetic_share": 0.25}


def _index(similarities: Rows) -> Rows:
    lists: dict[tuple[str, str, str], list[tuple[str, float]]] = {}
    for variant, backbone, item, other, similarity, *_ in similarities:
        lists.setdefault((variant, backbone, item), []).append((other, 10 * similarity))
    return [
        (
            *key,
            [
                neighbor(other, score, rank)
                for rank, (other, score) in enumerate(
                    sorted(found, key=lambda pair: (-pair[1], pair[0])), 1
                )
            ],
        )
        for key, found in lists.items()
    ]


def _fused(lake: Lake, config: Config, interactions: int, scored: int) -> DataFrame:
    seen = lake.read("interactions", interactions).where(F.col("fold").isin(*config.model_folds))
    real = real_rows(seen, F.col("weight"))
    scores = lake.read("scored", scored)
    credible = credible_real_rows(real, scores, 0.0).unionByName(
        soft_rows(score_confidence(scores), config.fuse.soft_weight_scale, config.fuse.min_weight)
    )
    return real.selectExpr("'real' AS variant", "*").unionByName(
        credible.selectExpr("'llm_i2i' AS variant", "*")
    )


def _decode_digest(config: Config, old: bool) -> str:
    if not old:
        return config.decode_digest
    values = {
        "generate.per_user": config.generate.per_user,
        "export.history_length": config.export.history_length,
        "evaluate.protocol": config.split.protocol,
        "ingest.holdout": config.split.holdout,
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def write_used(write: Writer) -> dict[str, Lists]:
    """The run that the index comes from. Its `fused` is tidied before i2i reads it, which makes a
    version without a record.
    """
    lake, config, old = write.lake, write.config, isinstance(write, OldWriter)

    def in_base(rows: Rows) -> Rows:
        return rows if old else [(BASE_BRANCH, *row) for row in rows]

    log = {
        "interactions": write("interactions", _interactions(2025), {}),
        "items": write("items", _items("Silver"), {}),
    }
    example = ("u1-2", "u1", "train", [_item("A")], [{**_item("B"), "loss_weight": 1.0}])
    exported = {"sft_generator": write("sft_generator", in_base([example]), log, [BASE])}
    models = {
        "checkpoints": write("checkpoints", in_base(_checkpoints("models/used")), exported, [BASE])
    }
    candidates = in_base(_candidates(_decode_digest(config, old)))
    proposed = {
        "candidates": write(
            "candidates", candidates, {**log, **models}, [BASE], model_digest=GENERATOR
        )
    }
    scored = write(
        "scored",
        in_base(_scored()),
        {**log, **models, **proposed},
        [BASE],
        model_digest=DISCRIMINATOR,
    )
    inputs = {"interactions": log["interactions"], "scored": scored}
    rows = _fused(lake, config, inputs["interactions"], scored)
    fused = write("fused", rows, inputs, [REAL, LLM_I2I])
    lists: dict[str, dict[str, dict[str, float]]] = {"real": {}, "llm_i2i": {}}
    for row in lake.read("fused", fused).collect():
        lists[row["variant"]].setdefault(row["user_id"], {})[row["item_id"]] = row["weight"]
    lake.spark.sql(
        f"ALTER TABLE delta.`{lake.path('fused')}` SET TBLPROPERTIES ('note' = 'tidied')"
    )
    tidied = lake.version("fused")
    assert tidied == fused + 1
    similarities = _similarities(lists, config.i2i.swing)
    results = [REAL | SWING, LLM_I2I | SWING]
    similar = write("item_similarity", similarities, {"fused": tidied}, results)
    write("item_index", _index(similarities), {"item_similarity": similar}, results)
    return lists


def brute_force_attribution(
    rows: Sequence[Mapping[str, Any]], item: str, attribution: Attribution
) -> dict[str, Parts]:
    """Each user's part by neighbour of an item, straight from the definition."""
    found: dict[str, Parts] = {}
    for user in sorted({row["user_id"] for row in rows}):
        own = [row for row in rows if row["user_id"] == user]
        real = sorted(
            (row for row in own if row["source"] == "real"), key=lambda row: -row["position"]
        )[: attribution.history]
        weight = {
            row["item_id"]: row["weight"] * attribution.decay**age for age, row in enumerate(real)
        }
        if item not in weight:
            continue
        for row in own:
            if row["source"] == "synthetic":
                worth = row["confidence"] ** attribution.confidence_exponent
                part = weight[item] / sum(weight.values()) * worth
                found.setdefault(row["item_id"], {})[user] = part
    return found


MIXTURE = {0: {"text": 0.75, "em_transitions": 0.125}, 4: {"text": 0.25, "em_transitions": 0.375}}
"""Least clicks -> component -> weight; `attribution` has what text leaves of 7/8."""


def write_backbones(write: Writer, fused: int) -> None:
    """Indexes of blend, attribution and bm25 beside those of Swing, of the same interactions;
    afterwards another mixture than the one that they were made from.
    """
    rows = [row.asDict() for row in write.lake.read("fused", fused, LLM_I2I).collect()]
    parts = brute_force_attribution(rows, "C", Attribution())
    total = sum(sum(of_neighbor.values()) for of_neighbor in parts.values())
    attributed = sum(parts["B"].values()) / total
    blend, reads = LLM_I2I | BLEND, {"fused": fused}
    reads["mixtures"] = write("mixtures", _mixtures(MIXTURE), reads, [blend])
    shares = [
        {"component": "attribution", "share": 0.5},
        {"component": "text", "share": 0.375},
        {"component": "em_transitions", "share": 0.125},
    ]
    alone = [{"component": "text", "share": 0.5}, {"component": "generated", "share": 0.25}]
    reads["item_candidates"] = write("item_candidates", _item_candidates(3), {}, [BASE])
    similarities = [
        ("llm_i2i", "blend", "C", "B", 0.125, None, 0.5, shares),
        ("llm_i2i", "blend", "F", "A", 0.125, None, 0.25, alone),
        ("llm_i2i", "blend", "F", "B", 0.25, None, 0.0, shares[1:2]),
        ("llm_i2i", "attribution", "C", "B", attributed, len(parts["B"]), 1.0, None),
        ("llm_i2i", "linear", "C", "B", 0.5, None, None, None),
    ]
    scopes = [LLM_I2I | {"backbone": name} for name in ("blend", "attribution", "linear")]
    similar = write("item_similarity", similarities, reads, scopes)
    write("item_index", _index(similarities), {"item_similarity": similar}, scopes)
    later = {least: {**weights, "text": 0.0} for least, weights in MIXTURE.items()}
    write("mixtures", _mixtures(later), {"fused": fused}, [blend])
    write("item_candidates", _item_candidates(9), {}, [BASE])


def _item_candidates(rank: int) -> Rows:
    """A at this rank after F, B before it."""
    return [
        (BASE_BRANCH, "F", item, place, -0.5 * place, GENERATOR, "p", "d")
        for item, place in (("B", 1), ("A", rank))
    ]


def _mixtures(weights: Mapping[int, Mapping[str, float]]) -> Rows:
    return [
        ("llm_i2i", "blend", least, name, weight)
        for least, of_bucket in weights.items()
        for name, weight in {**of_bucket, "attribution": 0.875 - of_bucket["text"]}.items()
    ]


def write_later(write: Writer) -> None:
    """Newer versions of all that the index was made from; a trace that reads one of them shows what
    was not used. Beside the index that of another backbone.
    """

    def in_base(rows: Rows) -> Rows:
        return [(BASE_BRANCH, *row) for row in rows]

    log = {
        "interactions": write("interactions", _interactions(2026)[:-2], {}),
        "items": write("items", _items("Later"), {}),
    }
    rows = in_base(_checkpoints("models/later"))
    models = {"checkpoints": write("checkpoints", rows, {"sft_generator": 0}, [BASE])}
    rows = in_base(_candidates(write.config.decode_digest, -9.0))
    proposed = {"candidates": write("candidates", rows, {**log, **models}, [BASE])}
    rows = in_base(_scored(0.99))
    scored = write("scored", rows, {**log, **models, **proposed}, [BASE])
    fused = write(
        "fused",
        _fused(write.lake, write.config, log["interactions"], scored),
        {"interactions": log["interactions"], "scored": scored},
        [REAL, LLM_I2I],
    )
    similarity = ("llm_i2i", "swing", "A", "B", 9.0, 9, 0.9, None)
    write("item_similarity", [similarity], {"fused": fused}, [LLM_I2I | SWING])
    bm25 = REAL | {"backbone": "bm25"}
    write("item_index", [(*bm25.values(), "A", [neighbor("F", 1.0, 1)])], {"fused": fused}, [bm25])


VOTES = {
    ("u2", "B"): (1, [("u1|1", 0.75, 0.5), ("u6|1", 0.5, 0.25)]),
    ("u4", "A"): (2, [("u3|1", 0.25, 0.125)]),
}
"""(user, item) -> rank, and of the examples that voted for it id, similarity, share."""


def write_llm_cf(write: Writer, interactions: int) -> Lists:
    """An index of variant `llm_cf`, and examples that were written later; the lists that its
    similarities come from.
    """
    lake, config, variant = write.lake, write.config, {"variant": "llm_cf"}
    digest = templates.prompt_digest("sequence", templates.GENERATOR)
    models = {
        "checkpoints": write(
            "checkpoints", [(BASE_BRANCH, *row) for row in _checkpoints("models/cf")], {}, [BASE]
        )
    }
    reads = {"interactions": interactions, "items": 0, **models}
    examples = write("in_context_examples", _in_context_examples("follows", digest), reads, [BASE])
    rows = [
        (BASE_BRANCH, *pair, rank, sum(vote[2] for vote in votes), _votes(votes), GENERATOR, digest)
        for pair, (rank, votes) in VOTES.items()
    ]
    retrieved = write("retrieved", rows, reads, [BASE], examples_version=examples)
    write("in_context_examples", _in_context_examples("later", digest), reads, [BASE])
    seen = lake.read("interactions", interactions)
    seen = seen.where(F.col("fold").isin(*config.model_folds))
    pairs = retrieved_confidence(lake.read("retrieved", retrieved))
    fused_rows = real_rows(seen, F.col("weight")).unionByName(soft_rows(pairs, 1.0, 0.01))
    reads = {"interactions": interactions, "retrieved": retrieved}
    rows_of_variant = fused_rows.selectExpr("'llm_cf' AS variant", "*")
    fused = write("fused", rows_of_variant, reads, [variant])
    lists: dict[str, dict[str, float]] = {}
    for row in lake.read("fused", fused, variant).collect():
        lists.setdefault(row["user_id"], {})[row["item_id"]] = row["weight"]
    similarities = _similarities({"llm_cf": lists}, config.i2i.swing)
    similar = write("item_similarity", similarities, {"fused": fused}, [variant | SWING])
    write("item_index", _index(similarities), {"item_similarity": similar}, [variant | SWING])
    return lists


def _votes(votes: Sequence[tuple[str, float, float]]) -> list[dict[str, Any]]:
    return [dict(zip(("example_id", "similarity", "share"), vote, strict=True)) for vote in votes]


def _in_context_examples(word: str, digest: str) -> Rows:
    examples = {"u1|1": ("u1", "B", "A"), "u6|1": ("u6", "B", "A"), "u3|1": ("u3", "A", "B")}
    return [
        (BASE_BRANCH, one, user, item, reason, f"{item} {word} {reason}.", GENERATOR, digest)
        for one, (user, item, reason) in examples.items()
    ]
