"""A Llama's forward pass as lean as a CPU wants it: the layers of `transformers`, of whose last one
only the hidden states that are read are computed.

Whoever reads one position of a history, or the labels of a few candidates, needs the last layer's
keys and values everywhere, but its queries, its feed-forward network and its norms only there. The
compact model has one layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from transformers import Cache


class Read(NamedTuple):
    """Positions whose hidden states are read, in a rectangle of a few a row.

    Attributes:
        tokens: [S] number of each among all tokens of the batch.
        shape: (B, W), W the most that a row has.
        table: [B * W] number of the position at each place; 0 for none.
        places: [S] where each stands in the table.
    """

    tokens: Tensor
    shape: tuple[int, int]
    table: Tensor
    places: Tensor

    @classmethod
    def at(cls, rows: Tensor, columns: Tensor, n_rows: int, length: int) -> Read:
        """The positions of some rows (ascending) and columns of a batch of `n_rows`."""
        counts = torch.bincount(rows, minlength=n_rows)
        width = int(counts.max())
        numbers = torch.arange(len(rows), device=rows.device)
        places = numbers - (counts.cumsum(0) - counts)[rows] + rows * width
        table = torch.zeros(n_rows * width, dtype=torch.long, device=rows.device)
        table[places] = numbers
        return cls(rows * length + columns, (n_rows, width), table, places)


def is_lean(backbone: Any, embeddings: Tensor) -> bool:
    """Whether `hidden_states` computes what a backbone makes of embeddings."""
    config = backbone.config
    return (
        embeddings.device.type == "cpu"
        and embeddings.dtype == torch.float32
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
    kept: Cache | None = None,
) -> Tensor:
    """Hidden states after the last norm.

    Args:
        backbone: a `LlamaModel`.
        embeddings: [B, L, H] of the tokens.
        position_ids: [B, L]; without a mask attention is causal, and positions that restart keep
            packed examples apart.
        mask: [B, 1, L, K + L], True where the token of the row sees the token of the column.
        at: rows (ascending) and columns [S] of the tokens that are read; None: all.
        kept: keys and values of K earlier tokens of each row; those of these tokens are added.

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
        hidden = _layer(layer, hidden, rotation, mask, kept)
    if at is not None:
        read = Read.at(*at, *position_ids.shape)
        hidden = _last_layer(layers[-1], hidden, rotation, mask, read, kept)
    return _normed(backbone.norm, hidden)


def _layer(
    layer: Any, hidden: Tensor, rotation: Tensor, mask: Tensor, kept: Cache | None
) -> Tensor:
    attention, normed = layer.self_attn, _normed(layer.input_layernorm, hidden)
    queries = _Rotate.apply(_heads(attention, attention.q_proj(normed)), rotation)
    keys, values = _keys_and_values(attention, normed, rotation, kept)
    attended = _attend(attention, queries, keys, values, mask)
    return _feed_forward(layer, hidden, attended)


def _last_layer(
    layer: Any, hidden: Tensor, rotation: Tensor, mask: Tensor, read: Read, kept: Cache | None
) -> Tensor:
    """[S, H] what a layer makes of the tokens that are read."""
    attention, normed = layer.self_attn, _normed(layer.input_layernorm, hidden)
    asked, before, of_asked = (
        part.flatten(0, 1).index_select(0, read.tokens) for part in (normed, hidden, rotation)
    )
    queries = _Rotate.apply(_heads(attention, attention.q_proj(asked)), of_asked)
    keys, values = _keys_and_values(attention, normed, rotation, kept)
    seen = mask.flatten(0, 2).index_select(0, read.tokens[read.table])
    attended = _attend(
        attention,
        queries.index_select(0, read.table).view(*read.shape, *queries.shape[1:]),
        keys,
        values,
        seen.view(*read.shape, -1)[:, None],
    )
    return _feed_forward(layer, before, attended.flatten(0, 1).index_select(0, read.places))


def _keys_and_values(
    attention: Any, normed: Tensor, rotation: Tensor, kept: Cache | None
) -> tuple[Tensor, Tensor]:
    """[B, K + L, heads, head size] each."""
    keys = _Rotate.apply(_heads(attention, attention.k_proj(normed)), rotation)
    values = _heads(attention, attention.v_proj(normed))
    if kept is None:
        return keys, values
    of_all = kept.update(keys.transpose(1, 2), values.transpose(1, 2), attention.layer_idx)
    return of_all[0].transpose(1, 2), of_all[1].transpose(1, 2)


def _feed_forward(layer: Any, hidden: Tensor, attended: Tensor) -> Tensor:
    hidden = hidden + layer.self_attn.o_proj(attended)
    added: Tensor = layer.mlp(_normed(layer.post_attention_layernorm, hidden))
    return hidden + added


def _heads(attention: Any, projected: Tensor) -> Tensor:
    """[..., heads, head size]."""
    return projected.view(*projected.shape[:-1], -1, attention.head_dim)


def _attend(attention: Any, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """[B, W, heads * head size] from [B, W or K + L, heads, head size]."""
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
    """[B, L, 2, 1, head size] cosines of each position, and sines with the sign of the half."""
    cos, sin = backbone.rotary_emb(backbone.norm.weight, position_ids)
    first, second = sin.tensor_split(2, dim=-1)
    return torch.stack([cos, torch.cat([-first, second], dim=-1)], dim=-2)[..., None, :]


def _normed(norm: Any, hidden: Tensor) -> Tensor:
    normed: Tensor = _RmsNorm.apply(hidden, norm.weight, norm.variance_epsilon)
    return normed


class _RmsNorm(torch.autograd.Function):
    """Root mean square norm (Zhang and Sennrich 2019) in a few passes over the numbers."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        """[..., H] divided by the root of its mean square, times [H]."""
        length = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True)
        scale = torch.rsqrt(length.square() / hidden.shape[-1] + epsilon)
        normed = hidden * scale
        ctx.save_for_backward(normed, scale, weight)
        return normed * weight

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        """Gradients of the numbers and of the weight."""
        normed, scale, weight = ctx.saved_tensors
        product = gradient * normed
        mean = (product @ weight / len(weight))[..., None]
        of_hidden = torch.addcmul(gradient * weight, normed, mean, value=-1).mul_(scale)
        return of_hidden, product.flatten(0, -2).sum(0), None


class _Rotate(torch.autograd.Function):
    """Rotary position embedding (Su et al. 2021): the two halves of each head as coordinates."""

    @staticmethod
    def forward(ctx: Any, heads: Tensor, rotation: Tensor) -> Tensor:
        """[..., heads, head size] rotated by [..., 2, 1, head size]."""
        ctx.save_for_backward(rotation)
        return _rotated(heads, rotation, 1.0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Rotated back."""
        (rotation,) = ctx.saved_tensors
        return _rotated(gradient, rotation, -1.0), None


def _rotated(heads: Tensor, rotation: Tensor, direction: float) -> Tensor:
    cos, sin = rotation[..., 0, :, :], rotation[..., 1, :, :]
    swapped = heads.roll(heads.shape[-1] // 2, dims=-1)
    return torch.addcmul(heads * cos, swapped, sin, value=direction)
