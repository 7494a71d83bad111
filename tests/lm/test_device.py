"""Devices: what was requested, and the GPU that a scheduler assigned."""

from __future__ import annotations

import pytest
import torch

from llm_i2i_spark.base.errors import MissingDependencyError
from llm_i2i_spark.lm.device import choose_device, cuda_index


@pytest.mark.parametrize(
    ("address", "visible", "index"),
    [
        ("3", None, 3),
        ("3", "3", 0),
        ("3", "2,3", 1),
        ("1", "4, 5", 1),
        ("GPU-8f1c", "GPU-77aa,GPU-8f1c", 1),
        ("GPU-8f1c", None, None),
    ],
)
def test_cuda_counts_from_zero_among_the_visible_devices(
    address: str, visible: str | None, index: int | None
) -> None:
    assert cuda_index(address, visible) == index


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without CUDA")
def test_without_cuda_auto_is_the_cpu_whatever_was_assigned_and_cuda_is_an_error() -> None:
    assert choose_device("auto") == choose_device("auto", "3") == torch.device("cpu")
    for requested, address in (("cuda", None), ("cuda", "3"), ("cuda:1", None)):
        with pytest.raises(MissingDependencyError, match="set the stage's device to auto or cpu"):
            choose_device(requested, address)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_the_assigned_gpu_is_used_and_one_that_is_not_visible_is_an_error() -> None:
    last = torch.cuda.device_count() - 1
    for requested in ("auto", "cuda"):
        assert choose_device(requested, str(last)) == torch.device("cuda", last)
        with pytest.raises(MissingDependencyError, match="GPU 99"):
            choose_device(requested, "99")
    assert choose_device("cuda:0", "99") == torch.device("cuda", 0)
    assert choose_device("cpu", str(last)) == torch.device("cpu")
