"""Fingerprints: what a result depends on, and what is said to have changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_i2i_spark.base import fingerprint as module
from llm_i2i_spark.base.external_input import ExternalInput
from llm_i2i_spark.base.fingerprint import Ingredients, code_digest, imported_modules
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.config.files import load_config

BASE = Ingredients(
    stage="fuse",
    scope={"variant": "real"},
    inputs={"interactions": "i"},
    external_inputs={"log": "l"},
    settings={"fuse.mode": "soft", "seed": 42},
    code_digest="c",
)
OTHERS = {
    "fuse.mode was soft and is threshold": {"settings": {"fuse.mode": "threshold", "seed": 42}},
    "seed was 42 and is 1": {"settings": {"fuse.mode": "soft", "seed": 1}},
    "interactions has changed": {"inputs": {"interactions": "j"}},
    "interactions is left out": {"inputs": {}},
    "the source of log has changed": {"external_inputs": {"log": "m"}},
    "the code of fuse has changed": {"code_digest": "d"},
}


def test_a_fingerprint_knows_everything_a_result_depends_on() -> None:
    changed = [replace(BASE, **other) for other in OTHERS.values()]
    changed.append(replace(BASE, scope={"variant": "llm_i2i"}))
    changed.append(replace(BASE, stage="i2i"))
    assert len({one.fingerprint for one in [BASE, *changed]}) == len(changed) + 1
    assert replace(BASE).fingerprint == BASE.fingerprint


@pytest.mark.parametrize("words", OTHERS)
def test_what_has_changed_is_said(words: str) -> None:
    results = {"variant=real": BASE.result}
    run = PinnedRun("r", "fuse", {}, results=results, scopes=({"variant": "real"},))
    run = replace(run, external_inputs={"log": ExternalInput("l")})
    record = replace(run, settings=dict(BASE.settings)).record(load_config([], []), "fused")
    assert BASE.differences(record) == []
    assert replace(BASE, **OTHERS[words]).differences(record) == [words]


def test_a_docstring_is_not_code(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "PACKAGE", tmp_path)
    file = tmp_path / "stage.py"
    digests = []
    for text in ('"""One."""\nx = 1\n', '"""Two."""\n\n\nx = 1  # why\n', "x = 2\n"):
        file.write_text(text)
        code_digest.cache_clear()
        digests.append(code_digest("stage"))
    code_digest.cache_clear()
    assert digests[0] == digests[1] != digests[2]


def test_imports_are_followed_in_the_folder_of_a_module_and_in_one_other() -> None:
    found = imported_modules("backbones/bm25", within="kernels")
    assert {"backbones/bm25", "backbones/cooccurrence/engine", "kernels/bm25"} <= set(found)
    assert not {"backbones/swing", "kernels/swing", "base/errors"} & set(found)
