"""How large a model is: from the options of the compact one, or from the folder of a base model."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llm_i2i_spark.config.config import Config

EMBEDDINGS = ("embed", "wte", "wpe", "lm_head")
"""Parts of the names of weights that no token is multiplied with as a matrix."""


@dataclass(frozen=True)
class ModelSize:
    """The sizes that operations are counted by.

    Attributes:
        name: for people.
        matrices: parameters that every token is multiplied with.
        embeddings: parameters of its own vocabulary.
        layers: transformer blocks.
        hidden: width H.
        features: F, numbers of the text features of an item.
    """

    name: str
    matrices: float
    embeddings: float
    layers: int
    hidden: int
    features: int

    def item_parameters(self, item_tokens: float) -> float:
        """Of the embeddings of so many item tokens, and the projection of their features."""
        return (item_tokens + self.features) * self.hidden

    @classmethod
    def of_config(cls, config: Config) -> ModelSize | None:
        """The model that a configuration fine-tunes; None where the folder of its base model is not
        on this machine or tells no sizes.
        """
        sft = config.sft
        if sft.base_model is not None:
            return _of_folder(Path(sft.base_model), config)
        attention, feed_forward = (
            4 * sft.hidden_size**2,
            3 * sft.hidden_size * sft.intermediate_size,
        )
        matrices = sft.layers * (attention + feed_forward)
        return cls("the compact model", matrices, 0, sft.layers, sft.hidden_size, sft.text_dims)


def _of_folder(folder: Path, config: Config) -> ModelSize | None:
    try:
        shape = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        shape = shape.get("text_config", shape)
        layers = int(shape.get("num_hidden_layers") or shape["n_layer"])
        hidden = int(shape.get("hidden_size") or shape["n_embd"])
        weights = dict(one for file in folder.glob("*.safetensors") for one in _weights(file))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    embeddings = sum(
        size for name, size in weights.items() if any(part in name for part in EMBEDDINGS)
    )
    reads_itself = config.layout == "sequence" and config.sft.text_encoder is None
    features = hidden if reads_itself else config.sft.text_dims
    matrices = sum(weights.values()) - embeddings
    if not matrices:
        return None
    return ModelSize(folder.name, matrices, embeddings, layers, hidden, features)


def _weights(file: Path) -> Iterator[tuple[str, int]]:
    """Name and number of parameters of each tensor, from the header alone: eight bytes of its
    length, then JSON.
    """
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(min(length, file.stat().st_size)))
    for name, tensor in header.items():
        if name != "__metadata__":
            yield name, math.prod(tensor["shape"])
