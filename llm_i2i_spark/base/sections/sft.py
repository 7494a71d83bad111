"""Section `sft`: the base model, or the shape of the compact one, and the training loop."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from llm_i2i_spark.base.sections.section import RUNTIME, Section


class DiscriminatorTraining(Section):
    """How the discriminator's fine-tuning differs from the generator's."""

    epochs: int = Field(4, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    batch_size: int = Field(128, ge=1, description="histories a step, over all ranks")


class SftConfig(Section):
    """Fine-tuning: the base model, or the shape of the compact one, and the training loop."""

    base_model: str | None = Field(
        None,
        description=(
            "directory of a Hugging Face causal LM; None: a compact Llama trained from scratch"
        ),
    )
    text_encoder: str | None = Field(
        None, description="directory of a sentence encoder; None: TF-IDF + SVD of the catalogue"
    )
    text_dims: int = Field(256, ge=1)
    item_tokens: Literal["auto", "atomic", "codes"] = Field(
        "auto", description="one token an item, or a few; auto: codes above 200,000 items"
    )
    layers: int = Field(1, ge=1)
    hidden_size: int = Field(128, ge=8)
    heads: int = Field(4, ge=1)
    intermediate_size: int = Field(256, ge=8)
    dropout: float = Field(0.3, ge=0, lt=1)
    alpha: float = Field(4.0, ge=0, description="loss weight of long-tail targets")
    beta: float = Field(1.0, ge=0, description="loss weight of the other targets")
    epochs: int = Field(20, ge=1)
    learning_rate: float = Field(3e-3, gt=0)
    warmup_share: float = Field(0.05, ge=0, le=1)
    weight_decay: float = Field(0.01, ge=0)
    batch_size: int = Field(
        256, ge=1, description="examples a step, over all ranks and accumulation steps"
    )
    accumulation_steps: int = Field(1, ge=1)
    max_length: int = Field(1024, ge=8, description="tokens of a packed row")
    sampled_negatives: int = Field(
        512,
        ge=0,
        description=(
            "items in the generator's training softmax beside the batch's own; 0: all items"
        ),
    )
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    attention: Literal["auto", "flash_attention_2", "sdpa", "eager"] = "auto"
    deepspeed: str | None = Field(
        None, description="DeepSpeed JSON; None: the packaged ZeRO-2 file"
    )
    nproc_per_node: int = Field(1, ge=1, description="ranks on this machine; 1 on a CPU")
    checkpoint_every: int = Field(
        10, ge=1, description="epochs between resumable checkpoints", json_schema_extra=RUNTIME
    )
    discriminator: DiscriminatorTraining = DiscriminatorTraining()
