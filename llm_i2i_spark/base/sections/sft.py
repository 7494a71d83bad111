"""Section `sft`: the base model, or the shape of the compact one, and the training loop."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from llm_i2i_spark.base.sections.export import Layout
from llm_i2i_spark.base.sections.ingest import Names
from llm_i2i_spark.base.sections.section import RUNTIME, AnySection, Section, with_defaults

_OF_BASE_MODELS: dict[Layout, tuple[dict[str, Any], dict[str, Any]]] = {
    "instruct": (
        {"epochs": 1, "learning_rate": 5e-5, "dropout": 0.0},
        {"epochs": 1, "learning_rate": 5e-5},
    ),
    "sequence": ({"epochs": 6, "learning_rate": 3e-4}, {"epochs": 2, "learning_rate": 1e-4}),
}
"""What a pretrained model takes where nothing else is set, by layout: of the generator, and of the
discriminator. It knows its language, and forgets it in steps as long as those of a new model; where
it reads item tokens, these are new to it."""
_OF_ADAPTERS = {"learning_rate": 2e-4}
"""Adapters start at nothing, and take longer steps."""


class DiscriminatorTraining(Section):
    """How the discriminator's fine-tuning differs from the generator's."""

    epochs: int = Field(
        4,
        ge=1,
        description="passes over its examples; unset with a base model: 1, of item tokens 2",
    )
    learning_rate: float = Field(
        1e-3,
        gt=0,
        description=(
            "of AdamW, after the warm-up; unset with a base model: 5e-5, of item tokens 1e-4, of"
            " adapters 2e-4"
        ),
    )
    batch_size: int = Field(128, ge=1, description="histories a step, over all ranks")


class LoraAdapters(Section):
    """Low-rank adapters of a base model, in place of all of its weights."""

    rank: int = Field(
        0, ge=0, description="of the adapters (extra `lora`), often 8 to 64; 0: full fine-tuning"
    )
    alpha: float | None = Field(
        None, gt=0, description="adapters are scaled by alpha / rank; None: twice the rank"
    )
    target_modules: Names = Field(
        (),
        description="names of the linear layers that get one, such as [q_proj, v_proj]; none: all",
    )


class SftConfig(Section):
    """Fine-tuning: the base model, or the shape of the compact one, and the training loop."""

    base_model: str | None = Field(
        None,
        description=(
            "directory of a Hugging Face causal LM; None: a compact Llama trained from scratch"
        ),
    )
    text_encoder: str | None = Field(
        None,
        description=(
            "directory of a sentence encoder or causal LM; None: a base model that reads item"
            " tokens alone (export.layout=sequence), else TF-IDF + SVD of the catalogue"
        ),
    )
    text_dims: int = Field(
        256, ge=1, description="dimensions of the text features, where TF-IDF + SVD makes them"
    )
    lora: LoraAdapters = LoraAdapters()
    item_tokens: Literal["auto", "atomic", "codes"] = Field(
        "auto", description="one token an item, or a few; auto: codes above 200,000 items"
    )
    embedding_start: Literal["auto", "random", "swing"] = Field(
        "auto",
        description=(
            "where the compact model's item embeddings start; auto: from Swing's similarities where"
            " most items have no text, else random"
        ),
    )
    layers: int = Field(1, ge=1, description="transformer blocks of the compact model")
    hidden_size: int = Field(128, ge=8, description="width of the compact model")
    heads: int = Field(4, ge=1, description="attention heads of the compact model")
    intermediate_size: int = Field(
        256, ge=8, description="width of the compact model's feed-forward layers"
    )
    dropout: float = Field(
        0.3,
        ge=0,
        lt=1,
        description=(
            "after the embeddings and each branch of a block; unset with a base model that reads"
            " titles: 0"
        ),
    )
    alpha: float = Field(4.0, ge=0, description="loss weight of long-tail targets")
    beta: float = Field(1.0, ge=0, description="loss weight of the other targets")
    epochs: int = Field(
        20,
        ge=1,
        description=(
            "passes of the generator over its examples; unset with a base model: 1, of item tokens"
            " 6"
        ),
    )
    learning_rate: float = Field(
        1e-3,
        gt=0,
        description=(
            "of AdamW, after the warm-up; falls as half a cosine to a fiftieth; unset with a base"
            " model: 5e-5, of item tokens 3e-4, of adapters 2e-4"
        ),
    )
    warmup_share: float = Field(
        0.05, ge=0, le=1, description="of the steps, in which the learning rate rises from zero"
    )
    weight_decay: float = Field(0.01, ge=0, description="of AdamW")
    batch_size: int = Field(
        256, ge=1, description="examples a step, over all ranks and accumulation steps"
    )
    least_steps: int = Field(
        1500,
        ge=0,
        description=(
            "of the generator's optimizer: a log too small for them has smaller batches, of 32"
            " examples at least"
        ),
    )
    max_steps: int | None = Field(
        None,
        ge=1,
        description=(
            "of the optimizer at most, for each model; where there are more examples than these"
            " steps take, those of some users, drawn by the seed. None: all epochs"
        ),
    )
    accumulation_steps: int = Field(
        1, ge=1, description="parts in which a batch passes through the model, to save memory"
    )
    micro_batch_tokens: int | None = Field(
        None,
        ge=1,
        description=(
            "that pass through the model at once, about: a batch of more passes in parts. None: no"
            " limit"
        ),
    )
    gradient_checkpointing: bool | None = Field(
        None,
        description=(
            "compute activations again in the backward pass, a third more work for less memory;"
            " None: on a GPU where they would not fit otherwise"
        ),
        json_schema_extra=RUNTIME,
    )
    max_length: int = Field(1024, ge=8, description="tokens of a packed row")
    sampled_negatives: int = Field(
        512,
        ge=0,
        description=(
            "items in the generator's training softmax beside the batch's own; 0: all items"
        ),
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="of the weights in training; auto: bf16 on a GPU that has it"
    )
    attention: Literal["auto", "flash_attention_2", "sdpa", "eager"] = Field(
        "auto", description="auto: FlashAttention-2 where it is installed, else PyTorch's own"
    )
    deepspeed: str | None = Field(
        None, description="DeepSpeed JSON; None: the packaged ZeRO-2 file"
    )
    nproc_per_node: int = Field(1, ge=1, description="ranks on this machine; 1 on a CPU")
    executor_ranks: int = Field(
        0,
        ge=0,
        description=(
            "ranks as tasks on Spark's executors (TorchDistributor), each on its GPU; 0: on this"
            " machine"
        ),
    )
    checkpoint_every: int = Field(
        10, ge=1, description="epochs between resumable checkpoints", json_schema_extra=RUNTIME
    )
    discriminator: DiscriminatorTraining = DiscriminatorTraining()

    def fit_to(self, layout: Layout) -> SftConfig:
        """A copy in which what is not set has the values for the base model, where there is one.

        Args:
            layout: of the examples.
        """
        if not self.base_model:
            return self
        generator, discriminator = _OF_BASE_MODELS[layout]
        adapted = _OF_ADAPTERS if self.lora.rank else {}
        trained = _with_unset(self.discriminator, {**discriminator, **adapted})
        return with_defaults(
            _with_unset(self, {**generator, **adapted}), {"discriminator": trained}
        )


def _with_unset(section: AnySection, values: dict[str, Any]) -> AnySection:
    given = section.model_fields_set
    return with_defaults(section, {key: one for key, one in values.items() if key not in given})
