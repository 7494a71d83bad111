"""Model artifacts: tokenizer, item vocabulary and text features, shared by all roles and equal on
every rank.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from llm_i2i_spark import __version__
from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.files import sha256_of
from llm_i2i_spark.base.stage import PinnedRun
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint
from llm_i2i_spark.lm.encoding import Encoder
from llm_i2i_spark.lm.model import ItemLanguageModel
from llm_i2i_spark.lm.model_folder import check_model_folder
from llm_i2i_spark.lm.new_model import build_model
from llm_i2i_spark.lm.text_features import Features, embed_texts
from llm_i2i_spark.lm.vocabulary import ItemVocabulary, build_vocabulary
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.prompts.templates import prompt_digest
from llm_i2i_spark.sft.catalogue import Numbers
from llm_i2i_spark.sft.distributed import Distributed
from llm_i2i_spark.sft.roles.base import Role

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEXTS_FROM = 0.5
"""Share of items with a text from which texts say what items are like."""


class Spent(NamedTuple):
    """What a training has taken.

    Attributes:
        tokens: that it was trained on, all epochs together, padding not counted.
        seconds: of wall clock.
    """

    tokens: int
    seconds: float


@dataclass(frozen=True)
class ModelArtifacts:
    """The parts that the models of all roles share.

    Attributes:
        config: of the run.
        tokenizer: of the base model in layout `instruct`; None in `sequence`.
        vocabulary: item tokens of the catalogue.
        features: [T, F] text features of the item tokens.
        base_digest: hex sha256 over the base model's files; None for the compact one.
        embeddings: [T, hidden size] where the compact model's item embeddings start; None for
            random numbers alone.
    """

    config: Config
    tokenizer: PreTrainedTokenizerBase | None
    vocabulary: ItemVocabulary
    features: NDArray[np.float32]
    base_digest: str | None
    embeddings: NDArray[np.float32] | None = None

    @property
    def has_text(self) -> NDArray[np.bool_]:
        """[T] whether an item token has text features."""
        has_text: NDArray[np.bool_] = np.any(self.features, axis=1)
        return has_text

    def new_model(self) -> ItemLanguageModel:
        """A model before fine-tuning, in training mode."""
        model = build_model(
            self.config.sft,
            self.vocabulary.n_tokens,
            self.features,
            self.tokenizer,
            self.config.seed,
        )
        if self.embeddings is not None:
            with torch.no_grad():
                model.item_embedding.weight += torch.from_numpy(self.embeddings)
        return model

    def input_limits(self, role: Role) -> dict[str, Any]:
        """Manifest fields that say how much of a history a model of this role is shown: the number
        of latest items, and of tokens.
        """
        return {
            "role": role.name,
            "max_items": role.max_items(self.config),
            "max_length": self.config.sft.max_length,
        }

    def encoder(self, model: ItemLanguageModel, role: Role) -> Encoder:
        """Encodes the examples of a role for a model."""
        return Encoder(
            self.vocabulary,
            model.vocabulary_size,
            self.tokenizer,
            role.template,
            role.max_items(self.config),
            self.config.sft.max_length,
            model.bos,
        )

    def as_checkpoint(
        self, model: ItemLanguageModel, role: Role, device: torch.device
    ) -> LoadedCheckpoint:
        """A model in evaluation mode, as if its checkpoint had been saved and loaded."""
        return LoadedCheckpoint(
            model=model,
            vocabulary=self.vocabulary,
            tokenizer=self.tokenizer,
            calibration=None,
            manifest=self.input_limits(role),
            device=device,
            digest="",
            template=role.template,
        )

    def manifest_fields(
        self, role: Role, run: PinnedRun, distributed: Distributed, loss: float, spent: Spent
    ) -> dict[str, Any]:
        """Origin of a checkpoint: inputs, settings, code version and result of its training."""
        return {
            **self.input_limits(role),
            "layout": self.config.layout,
            "prompt_digest": prompt_digest(self.config.layout, role.template),
            "inputs": dict(run.reads),
            "fingerprint": run.fingerprint,
            "config_digest": self.config.digest(),
            "base_model": self.config.sft.base_model or "compact",
            "base_model_digest": self.base_digest,
            "lora_rank": self.config.sft.lora.rank,
            "code_version": __version__,
            "ranks": distributed.world_size,
            "device": distributed.device.type,
            "final_loss": loss,
            "seconds": round(spent.seconds, 1),
            "tokens": spent.tokens,
        }


def prepare_artifacts(
    config: Config,
    catalogue: Mapping[str, str],
    histories: Callable[[], Iterable[Numbers]],
    distributed: Distributed,
) -> ModelArtifacts:
    """Text features and vocabulary of a catalogue, and where item embeddings start, computed by
    rank 0 alone, since their last bits may depend on the number of threads.

    Args:
        config: of the run.
        catalogue: text by item id.
        histories: gives the items of each user that the models are trained on, by their numbers in
            the order of the ids.
        distributed: this rank.

    Raises:
        InputDataError: the base model's folder is not usable.
    """
    base_model = config.sft.base_model
    tokenizer = base_tokenizer(base_model) if base_model and config.layout == "instruct" else None
    computed: tuple[ItemVocabulary, Features, Features | None] | None = None
    if distributed.is_main:
        item_ids = sorted(catalogue)
        features = embed_texts(
            [catalogue[item_id] for item_id in item_ids],
            config.sft.text_dims,
            _text_encoder(config),
            config.seed,
        )
        vocabulary = build_vocabulary(config.sft, item_ids, features, config.seed)
        embeddings = None
        if _starts_from_swing(config, vocabulary, catalogue):
            from llm_i2i_spark.sft.swing_embeddings import swing_embeddings

            embeddings = swing_embeddings(
                histories(), len(item_ids), config.sft.hidden_size, config.seed
            )
        computed = vocabulary, vocabulary.token_features(features), embeddings
    computed = distributed.broadcast(computed)
    assert computed is not None
    vocabulary, features, embeddings = computed
    return ModelArtifacts(
        config,
        tokenizer,
        vocabulary,
        features,
        base_digest=folder_digest(Path(base_model)) if base_model else None,
        embeddings=embeddings,
    )


def _text_encoder(config: Config) -> str | None:
    """The folder of the model that reads the texts; a base model that is shown item tokens alone
    knows them by what it makes of their texts itself.
    """
    own = config.sft.base_model if config.layout == "sequence" else None
    return config.sft.text_encoder or own


def _starts_from_swing(
    config: Config, vocabulary: ItemVocabulary, catalogue: Mapping[str, str]
) -> bool:
    """Only the compact model with a token an item has an embedding that is an item's own."""
    if config.sft.base_model is not None or vocabulary.length > 1:
        return False
    if config.sft.embedding_start == "auto":
        with_text = sum(item.has_text for item in map(Item._make, catalogue.items()))
        return with_text < TEXTS_FROM * len(catalogue)
    return config.sft.embedding_start == "swing"


def base_tokenizer(folder: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a base model.

    Raises:
        InputDataError: the folder contains code, or has no tokenizer.
    """
    from transformers import AutoTokenizer

    check_model_folder(Path(folder))
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputDataError(
            f"sft.base_model={folder} has no usable tokenizer ({str(error).splitlines()[0]})."
        ) from error


def folder_digest(folder: Path) -> str:
    """Hex sha256 over the names and digests of a model folder's tensors and settings."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".safetensors", ".json"))
    return hashlib.sha256(
        "".join(f"{path.name}\0{sha256_of(path)}\n" for path in files).encode()
    ).hexdigest()
