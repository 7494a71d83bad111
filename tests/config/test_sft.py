"""Section `sft`: what holds where nothing is set follows the base model."""

from __future__ import annotations

import pytest

from llm_i2i_spark.config.files import load_config

BASE = "sft.base_model=/models/chat"
COMPACT = (20, 1e-3, 0.3, 4, 1e-3)


def fine_tuning(*settings: str) -> tuple[float, ...]:
    sft = load_config([], settings).sft
    both = sft.discriminator
    return sft.epochs, sft.learning_rate, sft.dropout, both.epochs, both.learning_rate


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ((), COMPACT),
        ((BASE,), (1, 5e-5, 0.0, 1, 5e-5)),
        ((BASE, "sft.lora.rank=8"), (1, 2e-4, 0.0, 1, 2e-4)),
        ((BASE, "export.layout=sequence"), (6, 3e-4, 0.3, 2, 1e-4)),
    ],
)
def test_what_is_not_set_suits_the_model(
    settings: tuple[str, ...], expected: tuple[float, ...]
) -> None:
    assert fine_tuning(*settings) == expected


def test_what_is_set_stays() -> None:
    given = ("sft.epochs=20", "sft.discriminator.learning_rate=1e-3")
    assert fine_tuning(BASE, *given) == (20, 5e-5, 0.0, 1, 1e-3)


def test_a_configuration_goes_on_following_the_model_when_it_is_changed_and_sent() -> None:
    chat = load_config([], [BASE, "sft.dropout=0.1"])
    sent = chat.without_secrets()
    assert sent.digest() == chat.digest()
    again = load_config(base=sent, overrides={"sft.lora.rank": 4})
    assert (again.sft.epochs, again.sft.learning_rate, again.sft.dropout) == (1, 2e-4, 0.1)
    compact = load_config(base=sent, overrides={"sft.base_model": None})
    assert (compact.sft.epochs, compact.sft.learning_rate, compact.sft.dropout) == (20, 1e-3, 0.1)
