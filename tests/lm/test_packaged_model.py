"""The packaged chat model, unpacked: an ordinary folder that knows English."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from llm_i2i_spark.base.errors import MissingDependencyError
from llm_i2i_spark.base.extras import EXTRAS, require_packages
from llm_i2i_spark.lm.model_folder import check_model_folder
from llm_i2i_spark.lm.packaged_model import write_packaged_model

MISSING = [name for name in EXTRAS["smollm2"] if find_spec(name) is None]

pytestmark = pytest.mark.lm


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_the_packaged_model_is_an_ordinary_folder_of_a_model_that_knows_english(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "chat"
    write_packaged_model(folder)
    check_model_folder(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert "<|im_start|>" in tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hello"}], tokenize=False
    )
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    known, shuffled = (
        tokenizer(text, return_tensors="pt").input_ids
        for text in (
            "The capital of France is Paris, and the capital of Italy is Rome.",
            "Paris the is capital Rome and Italy of France, of capital is the.",
        )
    )
    with torch.inference_mode():
        assert float(model(known, labels=known).loss) < 2.5
        assert float(model(shuffled, labels=shuffled).loss) > 4


@pytest.mark.skipif(not MISSING, reason="the extra smollm2 is installed")
def test_without_its_packages_the_extra_is_named() -> None:
    with pytest.raises(MissingDependencyError, match="smollm2"):
        require_packages("smollm2")
