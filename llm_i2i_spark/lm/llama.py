"""A Llama's forward pass as lean as a CPU wants it: the layers of `transformers`, of whose last one
only the hidden states that are read are computed.

Whoever reads one position of a history, or the labels of a few candidates, needs the last layer's
keys and values everywhere, but its queries, its feed-forward network and its norms only there. The
compact model has one layer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Read(NamedTuple):
    """Positions whose hidden states are read, as rows of a rectangle.

    Attributes:
        rows: [S] row of each, ascending.
        columns: [S] column of each.
        places: [S] where each stands among those of its row.
        table: [B, W] number of the position at each place of a row; 0 for none.
    """

    rows: Tensor
    columns: Tensor
    places: Tensor
    table: Tensor

    @classmethod
    def at(cls, rows: Tensor, columns: Tensor, n_rows: int) -> Read:
        """The positions of some rows (ascending) and columns of a batch of `n_rows`."""
        counts = torch.bincount(rows, minlength=n_rows)
        numbers = torch.arange(len(rows), device=rows.device)
        places = numbers - (counts.cumsum(0) - counts)[rows]
        table = torch.zeros((n_rows, int(counts.max())), dtype=torch.long, device=rows.device)
        table[rows, places] = numbers
        return cls(rows, columns, places, table)


def is_lean(backbone: Any, device: torch.device) -> bool:
    """Whether `hidden_states` computes what a backbone does."""
    config = backbone.config
    return (
        device.type == "cpu"
        and config.model_type == "llama"
        and config._attn_implementation == "sdpa"
        and not config.attention_dropout
    )


def hidden_states(
    backbone: Any,
    embeddings: Tensor,
    position_ids: Tensor,
    mask: Tensor | None = None,
    at: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Hidden states after the last norm.

    Args:
        backbone: a `LlamaModel`.
        embeddings: [B, L, H] of the tokens.
        position_ids: [B, L]; without a mask attention is causal, and positions that restart keep
            packed examples apart.
        mask: [B, 1, L, L], True where the token of the row sees the token of the column.
        at: rows (ascending) and columns [S] of the tokens that are read; None: all.

    Returns:
        [S, H], or [B, L, H] for all.
    """
    if at is not None and len(at[0]) == 0:
        return embeddings.new_zeros(0, embeddings.shape[-1])
    if mask is None:
        mask = _causal_mask(position_ids)
    rotation = _rotation(backbone, position_ids)
    layers = backbone.layers[: backbone.config.num_hidden_layers]
    hidden = embeddings
    for layer in layers if at is None else layers[:-1]:
        hidden = _layer(layer, hidden, rotation, mask)
    if at is not None:
        read = Read.at(*at, len(embeddings))
        hidden = _last_layer(layers[-1], hidden, rotation, mask, read)
    normed: Tensor = backbone.norm(hidden)
    return normed


def _layer(layer: Any, hidden: Tensor, rotation: Tensor, mask: Tensor) -> Tensor:
    attention, normed = layer.self_attn, layer.input_layernorm(hidden)
    queries, keys = (
        _Rotate.apply(_heads(attention, project(normed)), rotation)
        for project in (attention.q_proj, attention.k_proj)
    )
    attended = _attend(attention, queries, keys, _heads(attention, attention.v_proj(normed)), mask)
    return _feed_forward(layer, hidden, attended)


def _last_layer(layer: Any, hidden: Tensor, rotation: Tensor, mask: Tensor, read: Read) -> Tensor:
    """[S, H] what a layer makes of the tokens that are read."""
    attention, normed = layer.self_attn, layer.input_layernorm(hidden)
    asked = normed[read.rows, read.columns]
    queries = _Rotate.apply(
        _heads(attention, attention.q_proj(asked)), rotation[read.rows, read.columns]
    )
    keys = _Rotate.apply(_heads(attention, attention.k_proj(normed)), rotation)
    values = _heads(attention, attention.v_proj(normed))
    of_rows = torch.arange(len(mask), device=mask.device)[:, None]
    seen = mask[of_rows, 0, read.columns[read.table]][:, None]
    attended = _attend(attention, queries[read.table], keys, values, seen)
    return _feed_forward(layer, hidden[read.rows, read.columns], attended[read.rows, read.places])


def _feed_forward(layer: Any, hidden: Tensor, attended: Tensor) -> Tensor:
    hidden = hidden + layer.self_attn.o_proj(attended)
    added: Tensor = layer.mlp(layer.post_attention_layernorm(hidden))
    return hidden + added


def _heads(attention: Any, projected: Tensor) -> Tensor:
    """[..., heads, head size]."""
    return projected.view(*projected.shape[:-1], -1, attention.head_dim)


def _attend(attention: Any, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """[B, W, heads * head size] from [B, W or L, heads, head size]."""
    attended = functional.scaled_dot_product_attention(
        queries.transpose(1, 2),
        keys.transpose(1, 2),
        values.transpose(1, 2),
        attn_mask=mask,
        scale=attention.scaling,
        enable_gqa=attention.num_key_value_groups > 1,
    )
    return attended.transpose(1, 2).flatten(2)


def _causal_mask(position_ids: Tensor) -> Tensor:
    """[B, 1, L, L] earlier tokens of the same example; every position 0 begins one."""
    example = (position_ids == 0).cumsum(1)
    length = position_ids.shape[1]
    earlier = torch.ones(length, length, dtype=torch.bool, device=position_ids.device).tril()
    return ((example[:, :, None] == example[:, None, :]) & earlier)[:, None]


def _rotation(backbone: Any, position_ids: Tensor) -> Tensor:
    """[B, L, 2, 1, head size / 2] cosines and sines of each position."""
    cos, sin = backbone.rotary_emb(backbone.norm.weight, position_ids)
    half = cos.shape[-1] // 2
    return torch.stack([cos[..., :half], sin[..., :half]], dim=-2)[..., None, :]


class _Rotate(torch.autograd.Function):
    """Rotary position embedding (Su et al. 2021): the two halves of each head as coordinates."""

    @staticmethod
    def forward(ctx: Any, heads: Tensor, rotation: Tensor) -> Tensor:
        """[..., heads, head size] rotated by [..., 2, 1, head size / 2]."""
        ctx.save_for_backward(rotation)
        return _rotated(heads, rotation, 1.0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Rotated back."""
        (rotation,) = ctx.saved_tensors
        return _rotated(gradient, rotation, -1.0), None


def _rotated(heads: Tensor, rotation: Tensor, direction: float) -> Tensor:
    cos, sin = rotation[..., 0, :, :], rotation[..., 1, :, :]
    first, second = heads.tensor_split(2, dim=-1)
    rotated = torch.empty_like(heads, memory_format=torch.contiguous_format)
    half = first.shape[-1]
    torch.mul(first, cos, out=rotated[..., :half]).addcmul_(second, sin, value=-direction)
    torch.mul(second, cos, out=rotated[..., half:]).addcmul_(first, sin, value=direction)
    return rotated
