"""Section `i2i`: one section a backbone, what they share, and what changes no result."""

from __future__ import annotations

import pytest

from llm_i2i_spark.backbones import BACKBONES, Swing
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.config.config import RUNTIME_KEYS
from llm_i2i_spark.config.files import known_keys, load_config


def test_every_backbone_has_a_section_of_its_own_parameters():
    config = load_config([], [])
    for kind in BACKBONES:
        assert config.i2i.parameters(kind.name) == kind()
        assert {f"i2i.{kind.name}.{key}" for key in kind.model_fields} <= set(known_keys())


def test_shared_caps_reach_every_backbone_unless_its_own_section_has_them():
    settings = [
        "i2i.max_users_per_item=9",
        "i2i.swing.max_users_per_item=5",
        "i2i.bm25.max_users_per_item=null",
        "i2i.max_items_per_user=20",
        "i2i.top_k=300",
    ]
    for in_order in (settings, settings[::-1]):
        i2i = load_config([], in_order).i2i
        capped = [kind for kind in BACKBONES if "max_users_per_item" in kind.model_fields]
        caps = {kind.name: i2i.parameters(kind.name).max_users_per_item for kind in capped}
        assert caps == {kind.name: 9 for kind in capped} | {"swing": 5, "bm25": None}
        for kind in capped:
            own = i2i.parameters(kind.name)
            assert (own.max_items_per_user, own.top_k) == (20, 300)


def test_a_shared_cap_that_is_set_later_reaches_them_too():
    config = load_config([], ["i2i.swing.b=0.3", "i2i.max_users_per_item=9"])
    later = config.with_settings({"i2i.max_users_per_item": 7})
    assert later.i2i.swing == Swing(b=0.3, max_users_per_item=7)
    assert later.i2i.bm25.max_users_per_item == 7


def test_no_backbone_keeps_fewer_neighbors_than_the_index_wants():
    i2i = load_config([], ["i2i.top_k=10", "i2i.swing.top_k=600", "index.size=500"]).i2i
    assert (i2i.top_k, i2i.swing.top_k, i2i.bm25.top_k) == (500, 600, 500)


def test_a_configuration_with_shared_caps_survives_being_written_and_read():
    config = load_config([], ["i2i.max_users_per_item=9", "i2i.swing.max_users_per_item=null"])
    again = type(config).model_validate(config.model_dump(mode="json", by_alias=True))
    assert again == config


def test_a_result_depends_on_the_parameters_of_its_backbone_alone():
    plain = load_config([], [])
    engine = ["i2i.blocks=7", "i2i.engine=reference", "i2i.partitioning=community"]
    for other in ([*engine, "i2i.incremental=false"], ["i2i.bm25.b=0.5"]):
        assert load_config([], other).digest("i2i.swing") == plain.digest("i2i.swing")
    for other in ("i2i.max_users_per_item=9", "i2i.swing.a1=1", "i2i.top_k=500"):
        assert load_config([], [other]).digest("i2i.swing") != plain.digest("i2i.swing")
    assert {f"i2i.{name}" for name in ("blocks", "block_bytes", "engine")} <= RUNTIME_KEYS


def test_an_unknown_backbone_is_a_sentence_that_names_the_known_ones():
    with pytest.raises(UserError, match=r"i2i\.backbone: .*choose one of swing, item_knn, bm25"):
        load_config([], ["i2i.backbone=swnig"])


def test_the_reference_engine_is_refused_for_a_backbone_without_one():
    with pytest.raises(UserError, match=r"computes Swing alone; use i2i.engine=block for bm25"):
        load_config([], ["i2i.engine=reference", "i2i.backbone=bm25"])
