"""What the machine can do, and models with random weights of a size that fits it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from transformers import LlamaConfig, LlamaModel

from llm_i2i_spark.lm.attention import attention_implementation
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.lm.vocabulary import Codes, ItemVocabulary
from llm_i2i_spark.prompts.templates import GENERATOR

LARGE = LlamaConfig(
    vocab_size=2,
    hidden_size=2048,
    intermediate_size=8192,
    num_hidden_layers=20,
    num_attention_heads=32,
    num_key_value_heads=8,
)
"""1.2 billion parameters."""
SMALL = LlamaConfig(
    vocab_size=2,
    hidden_size=256,
    intermediate_size=1024,
    num_hidden_layers=4,
    num_attention_heads=8,
    num_key_value_heads=4,
)
FEATURES = 16


@dataclass(frozen=True)
class Machine:
    """A device and how much of a model and a batch it takes.

    Attributes:
        device: of all that is measured.
        precision: of the weights.
        shape: of the backbone.
        scale: how many times the users of a benchmark it takes.
        batch_tokens: of a forward pass.
    """

    device: torch.device
    precision: torch.dtype
    shape: LlamaConfig
    scale: float
    batch_tokens: int

    @property
    def is_gpu(self) -> bool:
        """Whether the goals hold."""
        return self.device.type == "cuda"

    def users(self, count: int) -> int:
        """How many stand for so many at scale 1 on a CPU."""
        return max(1, round(count * self.scale))

    def seconds(self, job: Callable[[], object]) -> float:
        """Of one call: on a GPU until it is idle again, on a CPU of all threads."""
        if not self.is_gpu:
            start = time.process_time()
            job()
            return time.process_time() - start
        torch.cuda.synchronize()
        start = time.perf_counter()
        job()
        torch.cuda.synchronize()
        return time.perf_counter() - start

    def multiply(self) -> Callable[[], float]:
        """A product of two matrices, in operations a second."""
        side = 8192 if self.is_gpu else 1024
        square = torch.randn(side, side, device=self.device, dtype=self.precision)
        rounds = 10

        def measure() -> float:
            took = self.seconds(lambda: [square @ square for _ in range(rounds)])
            return rounds * 2 * side**3 / took

        return measure

    def copy(self) -> Callable[[], float]:
        """A copy within memory, in bytes read and written a second."""
        numbers = torch.zeros(2**30 if self.is_gpu else 2**26, device=self.device)
        target = torch.empty_like(numbers)
        rounds = 5

        def measure() -> float:
            took = self.seconds(lambda: [target.copy_(numbers) for _ in range(rounds)])
            return rounds * 2 * 4 * len(numbers) / took

        return measure


def this_machine(scale: float) -> Machine:
    """The GPU where there is one."""
    if torch.cuda.is_available():
        return Machine(torch.device("cuda"), torch.bfloat16, LARGE, 16 * scale, 65_536)
    return Machine(torch.device("cpu"), torch.float32, SMALL, scale, 8_192)


def random_checkpoint(
    machine: Machine, codes: Codes, n_tokens: int, attention: str = "auto"
) -> LoadedCheckpoint:
    """A model of layout `sequence`.

    Args:
        machine: where it is to be.
        codes: [n, length] item tokens, rows distinct.
        n_tokens: how many item tokens there are.
        attention: as `sft.attention`.
    """
    torch.manual_seed(0)
    shape = LlamaConfig.from_dict(machine.shape.to_dict())
    shape._attn_implementation = attention_implementation(
        attention, machine.device, machine.precision
    )
    shape.bos_token_id = shape.eos_token_id = None
    with torch.device(machine.device):
        backbone = LlamaModel(shape)
        features = np.random.default_rng(0).normal(size=(n_tokens, FEATURES)).astype(np.float32)
        model = ItemLanguageModel(backbone, features / FEATURES)
    model = model.to(machine.device, machine.precision).eval()
    width = len(str(len(codes)))
    vocabulary = ItemVocabulary(
        tuple(f"i{number:0{width}d}" for number in range(len(codes))), codes, n_tokens
    )
    manifest = {"max_items": 10_000, "max_length": 100_000}
    return LoadedCheckpoint(model, vocabulary, None, None, manifest, machine.device, "", GENERATOR)


def parameters(model: ItemLanguageModel) -> int:
    """Of the layers, which every token passes through."""
    return sum(one.numel() for one in model.backbone.layers.parameters())


def random_codes(n_items: int, length: int, size: int, seed: int = 0) -> Codes:
    """[n, length] distinct rows; each level has `size` tokens of its own."""
    rng = np.random.default_rng(seed)
    rows = np.unique(rng.integers(0, size, (n_items, length)), axis=0)
    return np.asarray(rows + size * np.arange(length), np.int64)
