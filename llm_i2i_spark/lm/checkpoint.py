"""Checkpoints of models: folders that are complete or absent, verified byte by byte on loading, and
free of code.

backbone/             config.json and model.safetensors, as `transformers` writes them
items.safetensors     item embeddings, text projection and text features, label head
vocabulary.json, codes.safetensors
tokenizer/            of a Hugging Face base model that reads prompts
calibration.json      of a discriminator, and reliability.json, how well it holds
training.jsonl        the training curve
manifest.json         fields of the run, and sha256 and size of every other file; written last
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file

from llm_i2i_spark.base.errors import InputDataError
from llm_i2i_spark.base.files import folder_atomically
from llm_i2i_spark.base.manifest import verify_manifest, write_manifest
from llm_i2i_spark.base.phases import reached
from llm_i2i_spark.lm.attention import attention_implementation
from llm_i2i_spark.lm.calibration import Calibration
from llm_i2i_spark.lm.device import choose_device
from llm_i2i_spark.lm.encoding import Encoder
from llm_i2i_spark.lm.model import FEATURE_SCALE, ItemLanguageModel
from llm_i2i_spark.lm.model_folder import (
    check_model_folder,
    refuse_pickles,
    require_all_weights,
    without_progress_bars,
)
from llm_i2i_spark.lm.vocabulary import ItemVocabulary
from llm_i2i_spark.prompts.templates import Template, prompt_digest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

REQUIRED_FIELDS = ("role", "max_items", "max_length")
IDENTITY_FIELDS = (*REQUIRED_FIELDS, "layout", "prompt_digest")
"""Fields of the manifest that change what a model does, and so belong to its digest."""


@dataclass
class TokenCount:
    """How much a model has read.

    Attributes:
        tokens: of all its inputs so far, padding not counted.
    """

    tokens: int = 0


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A model ready for inference.

    Attributes:
        model: on `device`, in evaluation mode.
        vocabulary: of the catalogue that it was trained on.
        tokenizer: None in layout `sequence`.
        calibration: None where the checkpoint has none.
        manifest: fields given to `save_checkpoint`.
        device: where the model is.
        digest: model digest that `save_checkpoint` returned; empty for a model that is not saved.
        template: wording of its prompts in layout `instruct`.
        reading: counts the tokens that the model reads.
    """

    model: ItemLanguageModel
    vocabulary: ItemVocabulary
    tokenizer: PreTrainedTokenizerBase | None
    calibration: Calibration | None
    manifest: dict[str, Any]
    device: torch.device
    digest: str
    template: Template
    reading: TokenCount = field(default_factory=TokenCount, compare=False, repr=False)

    @property
    def tokens_read(self) -> int:
        """Tokens of all inputs of the model so far, padding not counted."""
        return self.reading.tokens

    @cached_property
    def encoder(self) -> Encoder:
        """Encodes histories for this model, as in its training."""
        return Encoder(
            self.vocabulary,
            self.model.vocabulary_size,
            self.tokenizer,
            self.template,
            int(self.manifest["max_items"]),
            int(self.manifest["max_length"]),
            self.model.bos,
        )


def save_checkpoint(
    folder: str | Path,
    model: ItemLanguageModel,
    vocabulary: ItemVocabulary,
    tokenizer: PreTrainedTokenizerBase | None,
    manifest_fields: Mapping[str, Any],
    calibration: Calibration | None = None,
    texts: Mapping[str, str] | None = None,
) -> str:
    """Write a checkpoint, so that no reader ever sees a part of one.

    Args:
        folder: of the checkpoint; an existing one is replaced.
        model: with all weights (under ZeRO-2 every rank has them, and one rank saves).
        vocabulary: of the catalogue.
        tokenizer: None in layout `sequence`.
        manifest_fields: kept in the manifest; `max_items` and `max_length` are needed to encode
            histories as in training, `role` says what the model was trained for.
        calibration: of a discriminator.
        texts: contents of further small files by name, such as the training curve `training.jsonl`.

    Returns:
        The model digest: hex sha256 over the sorted names and digests of all files, and the
        `IDENTITY_FIELDS`.
    """
    missing = [name for name in REQUIRED_FIELDS if name not in manifest_fields]
    if missing:
        raise ValueError(f"manifest_fields lacks {', '.join(missing)}")
    with folder_atomically(Path(folder)) as hidden:
        _write_files(hidden, model, vocabulary, tokenizer, calibration, texts or {})
        return write_manifest(hidden, manifest_fields, IDENTITY_FIELDS)


def _write_files(
    folder: Path,
    model: ItemLanguageModel,
    vocabulary: ItemVocabulary,
    tokenizer: PreTrainedTokenizerBase | None,
    calibration: Calibration | None,
    texts: Mapping[str, str],
) -> None:
    with without_progress_bars():
        model.backbone.save_pretrained(folder / "backbone")
    reached("checkpoint file")
    item_tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in model.state_dict().items()
        if not name.startswith("backbone.")
    }
    save_file(item_tensors, folder / "items.safetensors")
    reached("checkpoint file")
    vocabulary.save(folder)
    reached("checkpoint file")
    if tokenizer is not None:
        tokenizer.save_pretrained(folder / "tokenizer")
    if calibration is not None:
        (folder / "calibration.json").write_text(calibration.to_json(), encoding="utf-8")
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        reached("checkpoint file")


def load_checkpoint(
    folder: str | Path, template: Template, device: str = "auto", attention: str = "auto"
) -> LoadedCheckpoint:
    """Load a checkpoint after verifying every byte of it.

    Args:
        folder: as given to `save_checkpoint`.
        template: wording of the prompts that the model was trained with.
        device: auto, cpu, cuda or cuda:N.
        attention: as in `sft.attention`.

    Raises:
        InputDataError: a file is missing, changed or not in the manifest, there is a pickle or
            code, or the model was trained with another wording.
    """
    source = Path(folder)
    manifest = verify_checkpoint(source)
    calibration = source / "calibration.json"
    tokenizer = source / "tokenizer"
    wording = prompt_digest("instruct" if tokenizer.is_dir() else "sequence", template)
    if manifest["fields"].get("prompt_digest", wording) != wording:
        raise InputDataError(f"{source} was trained with other prompts than these: run sft again.")
    target = choose_device(device)
    model = _load_model(source, target, attention)
    return LoadedCheckpoint(
        model=model,
        vocabulary=ItemVocabulary.load(source),
        tokenizer=_load_tokenizer(tokenizer) if tokenizer.is_dir() else None,
        calibration=(
            Calibration.from_json(calibration.read_text(encoding="utf-8"))
            if calibration.is_file()
            else None
        ),
        manifest=manifest["fields"],
        device=target,
        digest=manifest["model_digest"],
        template=template,
    )


def verify_checkpoint(folder: Path) -> dict[str, Any]:
    """Compare every file of a checkpoint with its manifest.

    Returns:
        The manifest: `model_digest`, `fields`, `files`.

    Raises:
        InputDataError: naming what is wrong.
    """
    refuse_pickles(folder)
    manifest = verify_manifest(folder, "sft", REQUIRED_FIELDS)
    check_model_folder(folder / "backbone")
    return manifest


def _load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True
    )
    return tokenizer


def _load_model(folder: Path, device: torch.device, attention: str) -> ItemLanguageModel:
    from transformers import AutoModel

    item_tensors = load_file(folder / "items.safetensors")
    precision = item_tensors["item_embedding.weight"].dtype
    with without_progress_bars():
        backbone, loading = AutoModel.from_pretrained(
            folder / "backbone",
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            dtype=precision,
            attn_implementation=attention_implementation(attention, device, precision),
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    require_all_weights(folder / "backbone", loading)
    token_features = (item_tensors["scaled_features"].float() / FEATURE_SCALE).numpy()
    model = ItemLanguageModel(backbone, token_features)
    model.to(precision)
    lacking = [
        name
        for name in model.load_state_dict(item_tensors, strict=False).missing_keys
        if not name.startswith("backbone.")
    ]
    if lacking:
        raise InputDataError(f"{folder / 'items.safetensors'} lacks {lacking[0]}: run sft again.")
    return model.to(device).eval()
