"""A search space in every form that it may be written in; what cannot be searched, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_i2i_spark.backbones.search_space import Choice, Domain, Range
from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.variants import find_variant
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.experiments.tuning.space import SearchedOption, find_space
from llm_i2i_spark.experiments.tuning.written_space import read_spaces
from llm_i2i_spark.pipeline.stages import stages_for


def space_of(given: Any, variant: str = "real", backbone: str = "swing") -> dict[str, Domain]:
    """The checked space by key."""
    chosen = find_variant(variant)
    stages = stages_for(Config(), [(chosen, backbone)], last="index")
    return {one.key: one.domain for one in find_space(Config(), chosen, backbone, stages, given)}


@pytest.mark.parametrize(
    ("written", "domain"),
    [
        ((0, 1), Range(0, 1)),
        ([0.1, 10, "log"], Range(0.1, 10, log=True)),
        ("0.1:10", Range(0.1, 10)),
        (" 1e-3 : 10 : log ", Range(1e-3, 10, log=True)),
        (["0", "1"], Range(0, 1)),
        (Range(0, 1), Range(0, 1)),
        ("0.1,0.5", Choice((0.1, 0.5))),
        ([0.1, 0.2, 0.5], Choice((0.1, 0.2, 0.5))),
        ({0.5, 0.1}, Choice((0.1, 0.5))),
        ("0.5,.5,1", Choice((0.5, 1.0))),
    ],
)
def test_values_are_read_in_every_form(written: Any, domain: Domain) -> None:
    assert space_of({"i2i.swing.b": written}) == {"i2i.swing.b": domain}
    assert space_of({"swing.b": written}) == {"i2i.swing.b": domain}


def test_the_values_of_a_choice_have_the_type_of_their_option() -> None:
    given = {
        "index.normalize": "none,row",
        "index.popularity_exponent": "none,0.25",
        "i2i.max_users_per_item": ["none", 100, 1000],
        "index.recent_items": "5,10",
    }
    assert space_of(given) == {
        "index.normalize": Choice(("none", "row")),
        "index.popularity_exponent": Choice((None, 0.25)),
        "i2i.max_users_per_item": Choice((None, 100, 1000)),
        "index.recent_items": Choice((5, 10)),
    }


def test_options_of_the_models_are_searched_where_there_are_models() -> None:
    given = {"fuse.soft_weight_scale": "auto,0.05,0.1", "sft.alpha": (1, 8)}
    assert space_of(given, variant="llm_i2i") == {
        "fuse.soft_weight_scale": Choice(("auto", 0.05, 0.1)),
        "sft.alpha": Range(1, 8),
    }
    assert space_of({"fuse.soft_weight_scale": (0.01, 1, "log")}, variant="llm_i2i")


def test_a_range_of_whole_numbers_gives_whole_numbers() -> None:
    stages = stages_for(Config(), [(find_variant("real"), "transitions")], last="index")
    found = find_space(
        Config(), find_variant("real"), "transitions", stages, {"transitions.window": (1, 20)}
    )
    assert found == (SearchedOption("i2i.transitions.window", Range(1.0, 20.0), whole=True),)
    assert found[0].rounded(3.0) == 3


def test_numbers_are_short_and_stay_in_their_range() -> None:
    option = SearchedOption("i2i.swing.b", Range(0.12344, 0.98765432))
    assert option.rounded(0.333333) == 0.3333
    assert option.rounded(0.12344) == 0.12344
    assert option.rounded(0.98765431) == 0.98765432


def test_a_space_comes_from_command_line_and_file(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(
        "i2i:\n  swing:\n    a1: [0, 20]\n    b: 0:1\nindex.normalize: [none, row]\n",
        encoding="utf-8",
    )
    given = read_spaces([str(file), "swing.b=0.2:0.8", "index.decay=0.5,0.8"])
    assert space_of(read_spaces([str(file)])) == space_of(file)
    assert space_of({**space_of(file), "swing.b": "0.2:0.8"})["i2i.swing.b"] == Range(0.2, 0.8)
    assert given["index.decay"] == "0.5,0.8"
    assert given["swing.b"] == "0.2:0.8"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"i2i.swing.bb": (0, 1)}, r"no option i2i.swing.bb to search; did you mean i2i.swing.b\?"),
        ({"swing.alpha": (0, 1)}, "no option swing.alpha to search"),
        ({"i2i.bm25.b": (0, 1)}, "changes nothing of variant real with backbone swing"),
        ({"bm25.b": (0, 1)}, "changes nothing of variant real with backbone swing"),
        ({"sft.alpha": (1, 8)}, "changes nothing of variant real"),
        ({"fuse.synthetic_mass": (1, 8)}, "changes nothing of variant real"),
        ({"i2i.backbone": "swing,bm25"}, "name it with --backbone"),
        ({"i2i.blocks": (1, 8)}, "changes no result"),
        ({"evaluate.target": "valid,test"}, "on the validation fold alone"),
        ({"split.protocol": "strict,refit"}, "on the validation fold alone"),
        ({"ingest.tie_order": "given,shuffled"}, "the clicks that the trials are compared on"),
        ({"seed": (1, 100)}, "lucky numbers"),
        ({"lake.root": "a,b"}, "changes no result"),
        ({"swing.b": (1, 0)}, "is empty"),
        ({"swing.b": (1, 1)}, "is empty"),
        ({"swing.b": "0:inf"}, "Input should be a valid number"),
        ({"swing.b": (0, 1, "log")}, "has no logarithm"),
        ({"swing.b": "0.5"}, "nothing to choose between"),
        ({"swing.b": [0.5, 0.5, 0.5]}, "nothing to choose between"),
        ({"swing.b": 0.5}, "write low:high"),
        ({"swing.a1": (-1, 1)}, "i2i.swing.a1: Input should be greater than or equal to 0"),
        ({"index.decay": "0:1"}, "index.decay: Input should be greater than 0"),
        ({"index.size": (10.5, 20)}, "takes whole numbers"),
        ({"index.size": "100,200.5"}, "index.size: Input should be a valid integer"),
        ({"index.normalize": (0, 1)}, "takes no numbers"),
        ({"index.normalize": "row,column"}, "index.normalize: Input should be 'auto'"),
        ({}, "Name at least one option"),
    ],
)
def test_what_cannot_be_searched_gets_a_sentence(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as error:
        space_of(given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("content", "words"), [(None, "no search space"), ("- a\n", "must hold")])
def test_a_file_without_a_space_gets_a_sentence(
    content: str | None, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "space.yaml"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        space_of(file)
