"""Backbone blend: what it learns from, and what its lists are made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pyspark.sql import functions as F

from llm_i2i_spark.backbones import BackboneRun, Blend
from llm_i2i_spark.backbones.blend_engine.components import find_components, make_lists
from llm_i2i_spark.backbones.blend_engine.engine import (
    held_out_between,
    hold_back_last,
    train_blend,
)
from llm_i2i_spark.backbones.blend_engine.scores import blend_similarities
from llm_i2i_spark.backbones.staging import kept_frames
from llm_i2i_spark.base.errors import StageError

pytestmark = pytest.mark.spark
LOG = (
    "user_id string, item_id string, weight double, source string, confidence double, position int"
)
WORDS = "item_id string, features array<float>"
CATALOGUE = "item_id string, brand string, category string"
STATS = "item_id string, is_long_tail boolean"
PROPOSED = "item_id string, neighbor_id string, log_prob double"
N_USERS, N_ITEMS = 60, 24


def clicks() -> list[tuple[object, ...]]:
    """Users walk round a ring of items, each step one or two items on."""
    rows: list[tuple[object, ...]] = []
    for user in range(N_USERS):
        item = user % N_ITEMS
        for position in range(5):
            rows.append((f"u{user}", f"i{item}", 1.0, "real", None, position))
            item = (item + 1 + (user * position) % 2) % N_ITEMS
    return rows


def proposals() -> list[tuple[object, ...]]:
    """For every third user one item that nobody clicks."""
    return [(f"u{user}", "new", 0.5, "synthetic", 0.3, None) for user in range(0, N_USERS, 3)]


def generated() -> list[tuple[str, str, float]]:
    """After every item the next five of the ring, and one that is not in the catalogue; after
    `new`, which nobody clicked, one.
    """
    rows = [
        (f"i{n}", f"i{(n + step) % N_ITEMS}", -0.7 * step - 0.01 * n)
        for n in range(N_ITEMS)
        for step in range(1, 6)
    ]
    return [*rows, ("i0", "gone", -0.1), ("new", "i4", -1.0)]


@pytest.fixture(scope="module")
def tables(spark):
    angles = [2 * np.pi * n / N_ITEMS for n in range(N_ITEMS)]
    features = [(f"i{n}", [float(np.cos(a)), float(np.sin(a))]) for n, a in enumerate(angles)]
    features.append(("new", [1.0, 0.1]))
    items = [(f"i{n}", f"brand {n % 4}", "all") for n in range(N_ITEMS)] + [("new", None, "all")]
    return {
        "items": spark.createDataFrame(items, CATALOGUE),
        "item_features": spark.createDataFrame(features, WORDS),
    }


def test_only_interactions_after_all_that_is_learned_from_may_be_predicted(spark) -> None:
    log = spark.createDataFrame(clicks(), LOG)
    held_back, held_out = hold_back_last(log)
    found = held_out_between(log, held_back)
    assert sorted(found.collect()) == sorted(held_out.collect())
    assert found.count() == N_USERS
    # A leak: what is learned from holds a later click of a user than the one to predict.
    user, position = F.col("user_id") == "u7", F.col("position")
    leak = held_back.where(~(user & (position == 2))).unionByName(log.where(user & (position == 4)))
    with pytest.raises(StageError, match="not later than all that it learns from"):
        held_out_between(log, leak)


def test_of_held_back_items_only_a_users_last_click_is_predicted(spark) -> None:
    """u0 clicked the held-back item early, u1 last of all, u2 never."""
    columns = "user_id string, item_id string, position int, source string"
    log = spark.createDataFrame(
        [
            *[("u0", item, place, "real") for place, item in enumerate(("new", "a", "b"))],
            *[("u1", item, place, "real") for place, item in enumerate(("a", "b", "new"))],
            *[("u2", item, place, "real") for place, item in enumerate(("b", "a", "c"))],
            ("u3", "c", 0, "real"),
        ],
        columns,
    )
    held_back = log.where("item_id <> 'new' and position < 2")
    found = held_out_between(log, held_back).orderBy("user_id").collect()
    assert [tuple(row) for row in found] == [("u0", "b"), ("u1", "new"), ("u2", "c")]


@pytest.mark.parametrize("components", [["texts"], []])
def test_components_that_are_none_are_refused(components) -> None:
    with pytest.raises(ValueError, match="components"):
        Blend(components=components)


def test_a_blend_reaches_items_that_nobody_clicked_and_says_what_a_similarity_is_made_of(
    spark, tables
) -> None:
    log = spark.createDataFrame(clicks() + proposals(), LOG)
    similar = Blend().similar_items(log, BackboneRun(tables=tables))
    rows = similar.collect()
    assert {row["item_id"] for row in rows} == {f"i{n}" for n in range(N_ITEMS)} | {"new"}
    assert {row["neighbor_id"] for row in rows} >= {"new"}
    for row in rows:
        shares = [part["share"] for part in row["components"]]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1 + 1e-9
        assert row["synthetic_share"] == 0.0  # the mixture was learned without synthetic rows
    best = {row["item_id"]: row for row in sorted(rows, key=lambda row: row["similarity"])}
    assert best["i3"]["neighbor_id"] in ("i4", "i5")


def test_the_mixture_leans_on_what_predicts_the_last_interactions(spark, tables) -> None:
    """The next item on the ring is what transitions know, and popularity does not."""
    log = spark.createDataFrame(clicks(), LOG)
    with kept_frames() as keep:
        rare = spark.createDataFrame([("i3", True), ("i4", False)], STATS)
        run = BackboneRun(tables={**tables, "item_stats": rare}, stage=keep)
        training = train_blend(Blend(long_tail_weight=3), *hold_back_last(log), run)
        weights = dict(zip(training.names, training.weights.T, strict=True))
        steps = weights["em_transitions"] + weights["reverse"] + weights["two_hops"]
        bucket = int(np.argmax(steps))
        assert steps[bucket] > 3 * weights["popular"][bucket]
        assert (training.weights.sum(axis=1) <= 1).all()
        assert training.examples is not None
        examples = training.examples.collect()
    assert len(examples) <= N_USERS
    for row in examples:
        pairs = len(row["pair_recent"])
        assert pairs == len(row["pair_candidate"]) == len(row["mixture"])
        assert len(row["features"]) == pairs * (len(training.names) + 7)
        assert 0 in row["pair_candidate"]  # the lookup holds the interaction to predict
        assert max(row["pair_candidate"]) < len(row["candidate_weights"])
        assert max(row["pair_recent"]) < len(row["recent_items"]) == len(row["recent_weights"])
        assert row["item_id"] not in row["recent_items"]
        assert row["loss_weight"] == (3.0 if row["item_id"] == "i3" else 1.0)
    assert {row["loss_weight"] for row in examples} == {1.0, 3.0}


def test_lists_are_those_of_the_components_mixed(spark, tables) -> None:
    log = spark.createDataFrame(clicks() + proposals(), LOG)
    blend = Blend()
    with kept_frames() as keep:
        run = BackboneRun(tables=tables, stage=keep)
        blocks = find_components(blend, log, run)
        assert "attribution" in blocks.names
        weights = np.arange(1, 6 * len(blocks.names) + 1).reshape(6, -1) / 1000
        found = {
            (row["item_id"], row["neighbor_id"]): row["similarity"]
            for row in blend_similarities(blocks, weights, None, 400).collect()
        }
        names = {row["item_idx"]: row["item_id"] for row in blocks.catalogue.ids.collect()}
        maker = make_lists(blocks)
        wanted: dict[tuple[str, str], float] = {}
        for lists in maker.blocks(iter(blocks.frame.toArrow().to_batches())):
            bucket = maker.buckets(lists.items)
            for n in range(len(lists.indptr) - 1):
                item, k = divmod(n, len(blocks.names))
                own = slice(lists.indptr[n], lists.indptr[n + 1])
                total = lists.values[own].sum()
                assert total == pytest.approx(1.0, abs=1e-6) or total == 0.0
                for neighbor, value in zip(lists.neighbors[own], lists.values[own], strict=True):
                    pair = names[lists.items[item]], names[neighbor]
                    assert pair[0] != pair[1]
                    part = weights[bucket[item], k] * value
                    wanted[pair] = wanted.get(pair, 0.0) + part
    assert found == pytest.approx(wanted, rel=1e-9)
    proposed = replace(blocks, names=("attribution",))
    assert proposed.stored == blocks.stored


def test_generated_is_what_the_generator_proposes_after_an_item_by_the_root_of_its_probability(
    spark, tables
) -> None:
    log = spark.createDataFrame(clicks(), LOG)
    with_candidates = {**tables, "item_candidates": spark.createDataFrame(generated(), PROPOSED)}
    with kept_frames() as keep:
        run = BackboneRun(tables=with_candidates, stage=keep)
        blocks = find_components(Blend(components=("generated", "text")), log, run)
        assert blocks.names == blocks.stored == ("text", "generated")
        weights = np.tile([0.25, 0.5], (6, 1))
        rows = blend_similarities(blocks, weights, None, 400).collect()
    known = [row for row in generated() if row[1] != "gone"]
    items = sorted({row[0] for row in known})
    probability = np.zeros((len(items), len(items)))
    for item, neighbor, log_prob in known:
        probability[items.index(item), items.index(neighbor)] = np.exp(0.5 * log_prob)
    probability /= probability.sum(axis=1, keepdims=True)
    wanted = {
        (items[i], items[j]): 0.5 * probability[i, j] for i, j in np.argwhere(probability > 0)
    }
    found = {}
    for row in rows:
        parts = {part["component"]: part["share"] for part in row["components"]}
        share = parts.get("generated", 0.0)
        # Of two components the share of the generator's is all that comes from language models.
        assert row["synthetic_share"] == pytest.approx(share)
        if share:
            found[row["item_id"], row["neighbor_id"]] = share * row["similarity"]
    assert found == pytest.approx(wanted, rel=1e-5)  # lists are kept as float32


def test_synthetic_share_adds_up_what_models_propose_to_users_and_after_the_item(
    spark, tables
) -> None:
    log = spark.createDataFrame(clicks() + proposals(), LOG)
    candidates = spark.createDataFrame([("i0", "new", -1.0), ("i0", "i1", -1.0)], PROPOSED)
    with kept_frames() as keep:
        run = BackboneRun(tables={**tables, "item_candidates": candidates}, stage=keep)
        blocks = find_components(Blend(components=("attribution", "generated", "text")), log, run)
        assert blocks.names == ("text", "attribution", "generated")
        rows = blend_similarities(blocks, np.full((6, 3), 0.3), None, 400).collect()
    (row,) = (row for row in rows if (row["item_id"], row["neighbor_id"]) == ("i0", "new"))
    parts = {part["component"]: part["share"] for part in row["components"]}
    assert min(parts["attribution"], parts["generated"], parts["text"]) > 0
    assert row["synthetic_share"] == pytest.approx(parts["attribution"] + parts["generated"])


def test_without_proposals_after_items_there_is_no_generated(spark, tables) -> None:
    log = spark.createDataFrame(clicks(), LOG)
    nothing = spark.createDataFrame([], PROPOSED)
    with kept_frames() as keep:
        run = BackboneRun(tables={**tables, "item_candidates": nothing}, stage=keep)
        blocks = find_components(Blend(components=("generated", "text")), log, run)
        assert blocks.names == ("text",)


def test_a_mixture_of_a_dataframe_leaves_out_a_generator_that_may_have_seen_its_last_clicks(
    spark, tables
) -> None:
    log = spark.createDataFrame(clicks(), LOG)
    with_candidates = {**tables, "item_candidates": spark.createDataFrame(generated(), PROPOSED)}
    rows = Blend().similar_items(log, BackboneRun(tables=with_candidates)).collect()
    assert rows
    assert "generated" not in {part["component"] for row in rows for part in row["components"]}
