"""The generator: 50 beams along the trie of a catalogue with four tokens an item, beside what
memory and matrix units allow, and beside `generate` of transformers with the same trie.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.decoding import rank_catalogue
from llm_i2i_spark.lm.packing import Tokens
from llm_i2i_spark.lm.token_limits import BEAMS_PER_PROPOSAL
from llm_i2i_spark.prompts.items import Item
from tests.benchmarks.lm.machine import (
    Machine,
    parameters,
    random_checkpoint,
    random_codes,
    this_machine,
)
from tests.benchmarks.report import interleaved, median, report

CODE_LENGTH, SIZE, BEAMS = 4, 64, 50
ITEMS = 100_000
USERS = 4


def measure(repeat: int, scale: float) -> None:
    """Share of the bound, and times the speed of transformers."""
    machine = this_machine(scale)
    codes = random_codes(ITEMS, CODE_LENGTH, SIZE)
    checkpoint = random_checkpoint(machine, codes, SIZE * CODE_LENGTH)
    rng = np.random.default_rng(1)
    ids = np.array(checkpoint.vocabulary.item_ids)
    lengths = rng.integers(10, 100, machine.users(USERS))
    histories = [[Item(one, "") for one in rng.choice(ids, n).tolist()] for n in lengths]
    prompts = [checkpoint.encoder.prompt(history) for history in histories]
    peer = _Peer(machine, checkpoint)

    def propose() -> object:
        owned: list[list[str]] = [[] for _ in histories]
        k = BEAMS // BEAMS_PER_PROPOSAL
        return rank_catalogue(checkpoint, histories, owned, k, machine.batch_tokens)

    propose()  # a warm-up
    found = interleaved(
        repeat,
        {
            "own": lambda: machine.seconds(propose),
            "transformers": lambda: machine.seconds(lambda: peer.generate(prompts)),
            "matrix": machine.multiply(),
            "copy": machine.copy(),
        },
    )
    seconds = median(found["own"])
    bound = _bound(machine, checkpoint, prompts, median(found["matrix"]), median(found["copy"]))
    report(
        "generation_share_of_bound",
        bound / seconds,
        ">=",
        0.50,
        users_a_second=len(prompts) / seconds,
        bound_users_a_second=len(prompts) / bound,
        parameters=parameters(checkpoint.model),
        repeat=repeat,
    )
    times = median(found["transformers"]) / seconds
    report("generation_over_transformers", times, ">=", 5.0, users=len(prompts), repeat=repeat)


def _bound(
    machine: Machine,
    checkpoint: LoadedCheckpoint,
    prompts: Sequence[Tokens],
    matrix: float,
    copy: float,
) -> float:
    """Seconds: prompts at the matrix rate; of each later token of the beams whichever takes longer,
    its operations or reading the weights once and the prompts' keys and values for each user.
    """
    shape, tokens = machine.shape, sum(map(len, prompts))
    weights = parameters(checkpoint.model)
    size = torch.finfo(machine.precision).bits // 8
    head = shape.hidden_size // shape.num_attention_heads
    kept = 2 * shape.num_hidden_layers * shape.num_key_value_heads * head * tokens * size
    batches = max(1, round(tokens / machine.batch_tokens))
    reading = (batches * weights * size + kept) / copy
    computing = 2 * weights * len(prompts) * BEAMS / matrix
    return 2 * weights * tokens / matrix + (CODE_LENGTH - 1) * max(reading, computing)


class _Peer:
    """The same model as a causal language model of transformers, whose vocabulary is the item
    tokens.
    """

    def __init__(self, machine: Machine, checkpoint: LoadedCheckpoint) -> None:
        own = checkpoint.model
        shape = LlamaConfig.from_dict(machine.shape.to_dict())
        shape.vocab_size = own.vocabulary_size + own.n_item_tokens
        shape.pad_token_id, shape.bos_token_id, shape.eos_token_id = 0, None, None
        self._model = LlamaForCausalLM(shape)
        self._model.model.load_state_dict(
            {k: v for k, v in own.backbone.state_dict().items() if "embed_tokens" not in k},
            strict=False,
        )
        with torch.no_grad():
            rows = torch.cat([own.backbone.embed_tokens.weight, own.item_embeddings()])
            self._model.get_input_embeddings().weight.copy_(rows)
            self._model.get_output_embeddings().weight.copy_(rows)
        self._model.to(machine.device, machine.precision).eval()
        self._device = machine.device
        self._next: dict[tuple[int, ...], list[int]] = {}
        for row in (checkpoint.vocabulary.codes + own.vocabulary_size).tolist():
            for depth in range(CODE_LENGTH):
                self._next.setdefault(tuple(row[:depth]), []).append(row[depth])
        self._next = {prefix: sorted(set(tokens)) for prefix, tokens in self._next.items()}

    @torch.inference_mode()
    def generate(self, prompts: Sequence[Tokens]) -> Tensor:
        """The best sequences after prompts, padded on the left."""
        length = max(map(len, prompts))
        tokens = torch.zeros(len(prompts), length, dtype=torch.int64)
        mask = torch.zeros_like(tokens)
        for row, prompt in enumerate(prompts):
            tokens[row, length - len(prompt) :] = torch.from_numpy(prompt)
            mask[row, length - len(prompt) :] = 1

        def allowed(_: int, so_far: Tensor) -> list[int]:
            return self._next[tuple(so_far[length:].tolist())]

        found: Tensor = self._model.generate(
            input_ids=tokens.to(self._device),
            attention_mask=mask.to(self._device),
            max_new_tokens=CODE_LENGTH,
            num_beams=BEAMS,
            num_return_sequences=BEAMS // BEAMS_PER_PROPOSAL,
            do_sample=False,
            prefix_allowed_tokens_fn=allowed,
        )
        return found
