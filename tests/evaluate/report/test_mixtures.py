"""A mixture in words: buckets by their clicks, kinds of knowledge by their weight."""

from __future__ import annotations

import pytest

from llm_i2i_spark.backbones import Blend
from llm_i2i_spark.evaluate.report.drawing import color_of
from llm_i2i_spark.evaluate.report.mixtures import (
    WORDS,
    Mixture,
    mixture_sentence,
    position_of,
    reasons_text,
)
from llm_i2i_spark.evaluate.systems import System

REAL = System("real", "blend")


def mixture(**weights: tuple[float, ...]) -> Mixture:
    rows = [
        (least, name, of_name[number])
        for number, least in enumerate((0, 2, 4, 7, 12, 25))
        for name, of_name in weights.items()
    ]
    return Mixture.of_rows(REAL, reversed(rows))


def spaced(text: str) -> str:
    return text.replace("\u202f", " ").replace("\u00a0", " ")


def test_every_component_of_a_blend_has_words_and_a_colour_of_its_own() -> None:
    assert set(WORDS) == set(Blend().components)
    assert len({words.position for words in WORDS.values()}) == len(WORDS)
    assert len({words.reason for words in WORDS.values()}) == len(WORDS)
    assert len({color_of(words.position) for words in WORDS.values()}) == len(WORDS)


def test_buckets_are_named_by_the_clicks_that_they_reach_from_and_to() -> None:
    found = mixture(text=(0.1,) * 6)
    assert found.labels() == ["0–1", "2–3", "4–6", "7–11", "12–24", "25+"]
    assert Mixture.of_rows(REAL, [(0, "text", 1.0), (1, "text", 1.0)]).labels() == ["0", "1+"]


def test_the_sentence_adds_up_components_of_one_kind_and_names_the_heaviest() -> None:
    rising, falling = (0.1, 0.1, 0.1, 0.2, 0.4, 0.5), (0.3, 0.3, 0.2, 0.1, 0.1, 0.1)
    found = mixture(em_transitions=rising, reverse=(0.05,) * 6, text=falling, popular_text=falling)
    assert spaced(mixture_sentence(found)) == (
        "Rare items (0–1 clicks) lean on similar texts (60 %) and what users click one after the"
        " other (15 %), frequent ones (25 clicks and more) on what users click one after the other"
        " (55 %) and similar texts (20 %)."
    )


def test_the_sentence_says_what_language_models_add() -> None:
    to_users, after_items = (0.2, 0.2, 0.1, 0.1, 0.1, 0.05), (0.1, 0.1, 0.1, 0.1, 0.1, 0.02)
    found = mixture(text=(0.2,) * 6, attribution=to_users, generated=after_items)
    assert "propose counts 30 % for the rare and 7 % for the frequent" in spaced(
        mixture_sentence(found)
    )
    assert "language models" not in mixture_sentence(mixture(text=(0.2,) * 6))


def test_a_component_that_nobody_foresaw_has_its_own_name_and_comes_last() -> None:
    found = mixture(collaborative=(0.5,) * 6, text=(0.1,) * 6)
    assert list(found.weights) == ["text", "collaborative"]
    assert "collaborative (50 %)" in spaced(mixture_sentence(found))
    assert position_of("collaborative") == 0


@pytest.mark.parametrize(
    ("components", "words"),
    [
        ([("text", 0.61), ("brand", 0.2)], "similar text 61 % · same brand 20 %"),
        ([("generated", 0.5)], "proposed after this item alone 50 %"),
        ([("em_transitions", 0.995), ("popular", 0.005)], "clicked next 100 %"),
        ([], ""),
    ],
)
def test_reasons_are_components_with_shares_without_the_least(components, words) -> None:
    assert spaced(reasons_text(components)) == words
