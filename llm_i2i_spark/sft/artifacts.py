"""What both models are made of, the same on every rank, and how they become checkpoints with a
known origin.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from llm_i2i_spark import __version__
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.files import sha256_of
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.encoding import Encoder
from llm_i2i_spark.lm.model import ItemLanguageModel, build_model
from llm_i2i_spark.lm.model_folder import check_model_folder
from llm_i2i_spark.lm.text_features import embed_texts
from llm_i2i_spark.lm.vocabulary import ItemVocabulary, build_vocabulary
from llm_i2i_spark.prompts.templates import prompt_digest
from llm_i2i_spark.sft.distributed import Ranks

Role = Literal["generator", "discriminator"]
EXPORTS: dict[Role, str] = {"generator": "sft_generator", "discriminator": "sft_discriminator"}


@dataclass(frozen=True)
class Material:
    """The parts that the generator and the discriminator share.

    Attributes:
        tokenizer: of the base model; None for the compact one.
        features: [T, F] text features of the item tokens.
        base_digest: sha256 over the base model's files; None for the compact one.
    """

    config: Config
    tokenizer: PreTrainedTokenizerBase | None
    vocabulary: ItemVocabulary
    features: NDArray[np.float32]
    base_digest: str | None

    def new_model(self) -> ItemLanguageModel:
        """A model that is not yet trained, for training: with dropout."""
        return build_model(
            self.config.sft,
            self.vocabulary.n_tokens,
            self.features,
            self.tokenizer,
            self.config.seed,
        )

    def limits(self, role: Role) -> dict[str, Any]:
        """How many items and tokens of a history a model of this role is shown."""
        export = self.config.export
        whole = role == "generator" and self.config.layout == "sequence"
        return {
            "role": role,
            "max_items": export.sequence_length if whole else export.history_length,
            "max_length": self.config.sft.max_length,
        }

    def encoder(self, model: ItemLanguageModel, role: Role) -> Encoder:
        """How examples are written for a model."""
        limits = self.limits(role)
        return Encoder(
            self.vocabulary,
            model.vocabulary_size,
            self.tokenizer,
            role,
            limits["max_items"],
            limits["max_length"],
        )

    def loaded(
        self, model: ItemLanguageModel, role: Role, device: torch.device
    ) -> LoadedCheckpoint:
        """A model that was just trained, ready to be used without a way over the disk."""
        return LoadedCheckpoint(
            model.eval(), self.vocabulary, self.tokenizer, None, self.limits(role), device, ""
        )

    def manifest_fields(
        self, role: Role, run: PinnedRun, ranks: Ranks, loss: float, seconds: float
    ) -> dict[str, Any]:
        """Where a checkpoint comes from."""
        return {
            **self.limits(role),
            "layout": self.config.layout,
            "prompt_digest": prompt_digest(self.config.layout, role),
            "inputs": dict(run.reads),
            "fingerprint": run.fingerprint,
            "config_digest": self.config.digest(),
            "base_model": self.config.sft.base_model or "compact",
            "base_model_digest": self.base_digest,
            "code_version": __version__,
            "ranks": ranks.world,
            "device": ranks.device.type,
            "final_loss": loss,
            "seconds": round(seconds, 1),
        }


def prepare(config: Config, catalogue: Mapping[str, str], ranks: Ranks) -> Material:
    """Text features and vocabulary of a catalogue; rank 0 computes them, since a last bit may
    depend on the threads.

    Args:
        config: of the run.
        catalogue: text by item id.

    Raises:
        UserError: the base model's folder is not usable.
    """
    base_model = config.sft.base_model
    tokenizer = base_tokenizer(base_model) if base_model else None
    parts: tuple[ItemVocabulary, NDArray[np.float32]] | None = None
    if ranks.first:
        item_ids = sorted(catalogue)
        features = embed_texts(
            [catalogue[item_id] for item_id in item_ids],
            config.sft.text_dims,
            config.sft.text_encoder,
            config.seed,
        )
        vocabulary = build_vocabulary(config.sft, item_ids, features, config.seed)
        parts = vocabulary, vocabulary.token_features(features)
    parts = ranks.from_first(parts)
    assert parts is not None
    return Material(
        config,
        tokenizer,
        *parts,
        base_digest=folder_digest(Path(base_model)) if base_model else None,
    )


def base_tokenizer(folder: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a base model.

    Raises:
        UserError: the folder brings code, or has no tokenizer.
    """
    check_model_folder(Path(folder))
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError) as error:
        raise UserError(
            f"sft.base_model={folder} has no usable tokenizer ({str(error).splitlines()[0]})."
        ) from error


def folder_digest(folder: Path) -> str:
    """Hex sha256 over the names and digests of a model folder's tensors and settings."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".safetensors", ".json"))
    return hashlib.sha256(
        "".join(f"{path.name}\0{sha256_of(path)}\n" for path in files).encode()
    ).hexdigest()
