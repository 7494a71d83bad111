"""A worker keeps one model: the one it was asked for last, on the device it was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.lm import model_cache
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint, save_checkpoint
from llm_i2i_spark.lm.model_cache import cached_checkpoint
from llm_i2i_spark.prompts.templates import GENERATOR

pytestmark = pytest.mark.lm


def save(folder: Path, made: LoadedCheckpoint) -> str:
    return save_checkpoint(folder, made.model, made.vocabulary, None, made.manifest)


@pytest.mark.faults("F21", end="error")
def test_one_model_is_kept_and_only_the_one_asked_for(tmp_path: Path, small: type) -> None:
    digests = [save(tmp_path / name, small.checkpoint(seed=k)) for k, name in ((3, "a"), (4, "b"))]
    first = cached_checkpoint(tmp_path / "a", digests[0], GENERATOR, "cpu")
    assert cached_checkpoint(tmp_path / "a", digests[0], GENERATOR, "cpu") is first
    second = cached_checkpoint(tmp_path / "b", digests[1], GENERATOR, "cpu")
    assert second.digest == digests[1]
    assert list(model_cache._cached.values()) == [second]
    with pytest.raises(UserError, match="was asked for"):
        cached_checkpoint(tmp_path / "a", digests[1][::-1], GENERATOR, "cpu")


def test_a_model_on_one_device_does_not_serve_another(tmp_path: Path, small: type) -> None:
    digest = save(tmp_path / "a", small.checkpoint())
    first = cached_checkpoint(tmp_path / "a", digest, GENERATOR, "cpu")
    other = cached_checkpoint(tmp_path / "a", digest, GENERATOR, "cpu:0")
    assert other is not first
    assert str(other.device) == "cpu:0"
    assert list(model_cache._cached) == [(digest, "cpu:0")]
