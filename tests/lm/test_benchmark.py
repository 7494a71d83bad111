"""The benchmark of language models runs on a small model, line for line."""

from __future__ import annotations

import json

import pytest

from tests.benchmarks.lm import attention, generation, scoring, training

pytestmark = pytest.mark.lm
LINES = {
    "attention_sdpa",
    "attention_flash_attention_2",
    "generation_over_transformers",
    "generation_share_of_bound",
    "scoring_padding",
    "scoring_share_of_matrix_rate",
    "scoring_sharing",
    "training_one_target_over_all",
    "training_padded_over_packed",
    "training_share_of_matrix_rate",
}


def test_every_line_of_the_benchmark_is_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "ITEMS", 2_000)
    attention.measure(1, 0.1)
    generation.measure(1, 0.1)
    scoring.measure(1, 0.1)
    training.measure(1, 0.1)
    lines = {one["name"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert lines.keys() == LINES
    assert lines["attention_sdpa"]["ok"]
    assert all(one["value"] > 0 for one in lines.values() if "left_out" not in one)
