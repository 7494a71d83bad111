"""The item language model: a causal language model whose vocabulary is extended by item tokens.

An item token's embedding is an id part plus a linear projection of frozen text features, the same
for input and output, so that an item with few interactions is placed by its text. The rest is any
Llama-like backbone of `transformers`: a compact one trained from scratch, or a pretrained one.

Token ids: 0..V-1 the backbone's own, V..V+T-1 the item tokens. The same token marked as part of a
candidate, or as a query, is V+T or 2(V+T) higher.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from llm_i2i_spark.lm.attention import FLASH, cache_argument
from llm_i2i_spark.lm.dropout import Dropout
from llm_i2i_spark.lm.llama import hidden_states, is_lean

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedModel

PAD, BOS = 0, 1
CANDIDATE, QUERY = 1, 2
"""How many times V+T is added to the ids of marked tokens."""
FEATURE_SCALE = 16.0
COMPACT_EMBEDDING_STD = 0.16


class ItemRows(NamedTuple):
    """Embeddings of some item tokens, computed once for all that a batch does with them.

    Attributes:
        item_tokens: [M] numbers 0..T-1, ascending.
        embeddings: [M, H].
    """

    item_tokens: Tensor
    embeddings: Tensor

    def places(self, item_tokens: Tensor) -> Tensor:
        """Row of each of some item tokens that are among these."""
        return torch.searchsorted(self.item_tokens, item_tokens)


class LabelHead(nn.Module):
    """The parts that only a discriminator uses: label rows, marks of candidate and query, and the
    weight of the generator's score.

    Args:
        hidden_size: H.

    Attributes:
        linear: hidden state to (No, Yes); starts at zero, so that training starts from the
            generator's scores alone.
        marks: [2, H] added to the embeddings of candidates and queries; start at zero.
        scale: factor of the inner product of hidden state and candidate embedding, which is added
            to the Yes logit.
        centre: subtracted from that inner product first.
    """

    centre: Tensor

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden_size, 2)
        self.marks = nn.Parameter(torch.zeros(2, hidden_size))
        # One-dimensional, since DeepSpeed cannot send a parameter without a dimension.
        self.scale = nn.Parameter(torch.full((1,), 0.7))
        self.register_buffer("centre", torch.tensor(0.0))
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)


class ItemLanguageModel(nn.Module):
    """A backbone, embeddings of item tokens and a label head.

    Args:
        backbone: a decoder of `transformers` without its head, with its attention implementation
            set.
        token_features: [T, F] text features of the item tokens, rows of about unit length; frozen.
        dropout: probability after the embeddings while training.
        embedding_std: initial standard deviation of the item embeddings: about this for the text
            part, an eighth of it for the id part.
    """

    scaled_features: Tensor
    backbone: Any

    def __init__(
        self,
        backbone: PreTrainedModel,
        token_features: NDArray[np.float32],
        dropout: float = 0.0,
        embedding_std: float = COMPACT_EMBEDDING_STD,
    ) -> None:
        super().__init__()
        base: Any = backbone.get_input_embeddings()
        self.vocabulary_size, self.hidden_size = map(int, base.weight.shape)
        self.n_item_tokens = len(token_features)
        self.backbone = backbone
        self.dropout = Dropout(dropout)
        # Large features make Adam's steps on the projection count: the text part leads early, the
        # id part refines.
        self.register_buffer(
            "scaled_features",
            torch.from_numpy(np.ascontiguousarray(token_features, np.float32)) * FEATURE_SCALE,
        )
        self.item_embedding = nn.Embedding(self.n_item_tokens, self.hidden_size)
        self.text_projection = nn.Linear(token_features.shape[1], self.hidden_size)
        self.label_head = LabelHead(self.hidden_size)
        nn.init.normal_(self.item_embedding.weight, std=embedding_std / 8)
        nn.init.normal_(self.text_projection.weight, std=embedding_std / FEATURE_SCALE)
        nn.init.zeros_(self.text_projection.bias)

    @property
    def bos(self) -> int:
        """Token id that a history of item tokens begins with: the backbone's own for the beginning
        of a text, or for its end where it has none, as Qwen.
        """
        config = self.backbone.config
        for token in (config.bos_token_id, config.eos_token_id):
            if isinstance(token, int):
                return token
        return BOS

    def forward(
        self,
        tokens: Tensor,
        position_ids: Tensor,
        mask: Tensor | None = None,
        at: tuple[Tensor, Tensor] | None = None,
        items: ItemRows | None = None,
        kept: Cache | None = None,
    ) -> Tensor:
        """Hidden states of tokens, after the backbone's last norm.

        Args:
            tokens: [B, L] token ids.
            position_ids: [B, L]; without a mask attention is causal, and positions that restart
                keep packed examples apart.
            mask: [B, 1, L, K + L], True where the token of the row sees the token of the column;
                for rows with suffixes of one prefix.
            at: rows (ascending) and columns [S] of the tokens that are read; None: all.
            items: embeddings of all item tokens of the batch, where they are there already.
            kept: keys and values of K earlier tokens of each row, which come first among the
                columns; those of these tokens are added.

        Returns:
            [S, H] for the tokens that are read, else [B, L, H], in the backbone's precision.
        """
        embeddings = self.dropout(self.embed(tokens, items))
        if is_lean(self.backbone, embeddings):
            return hidden_states(self.backbone, embeddings, position_ids, mask, at, kept)
        hidden = self._backbone_states(embeddings, position_ids, mask, kept)
        return hidden if at is None else hidden[at]

    def _backbone_states(
        self,
        embeddings: Tensor,
        position_ids: Tensor,
        mask: Tensor | None,
        kept: Cache | None,
    ) -> Tensor:
        """[B, L, H] by the backbone's own forward pass."""
        shape = embeddings.shape
        attention_mask = None
        if mask is not None:
            if self.backbone.config._attn_implementation == FLASH:
                # FlashAttention takes no mask of our own.
                self.backbone.set_attn_implementation("sdpa")
            attention_mask = torch.zeros_like(mask, dtype=embeddings.dtype).masked_fill_(
                ~mask, torch.finfo(embeddings.dtype).min
            )
        elif kept is None and self.backbone.config._attn_implementation == FLASH:
            # FlashAttention recognises packed examples only in a single row.
            embeddings, position_ids = (
                embeddings.reshape(1, -1, shape[-1]),
                position_ids.reshape(1, -1),
            )
        # With a cache transformers 5 no longer looks for restarting positions, and packed examples
        # would see each other: rows whose keys are kept hold one prompt each.
        output = self.backbone(
            inputs_embeds=embeddings,
            position_ids=position_ids,
            attention_mask=attention_mask,
            use_cache=kept is not None,
            **({} if kept is None else {cache_argument(self.backbone): kept}),
        )
        hidden: Tensor = output.last_hidden_state
        return hidden.reshape(shape)

    def embed(self, tokens: Tensor, items: ItemRows | None = None) -> Tensor:
        """[..., H] embeddings of token ids, computed once for each distinct token of the batch and
        for no other.
        """
        mark, plain = self._marks(tokens)
        is_item = plain >= self.vocabulary_size
        if items is None:
            items = self.item_rows(self.items_in(tokens))
        base = torch.unique(plain[~is_item])
        base_rows = self.backbone.get_input_embeddings()(base)
        # Base tokens first, then items; each is found where its sorted tokens have it.
        found = torch.where(
            is_item,
            len(base) + items.places(plain - self.vocabulary_size),
            torch.searchsorted(base, plain),
        )
        rows = torch.cat([base_rows, items.embeddings.to(base_rows.dtype)])
        embedded = functional.embedding(found, rows)
        if bool((mark > 0).any()):
            marks = self.label_head.marks.to(base_rows.dtype)
            embedded = embedded + functional.embedding(
                mark, torch.cat([torch.zeros_like(marks[:1]), marks])
            )
        return embedded

    def items_in(self, tokens: Tensor) -> Tensor:
        """[n] the item tokens (numbers 0..T-1) among token ids, marked ones included."""
        _, plain = self._marks(tokens)
        return plain[plain >= self.vocabulary_size] - self.vocabulary_size

    def _marks(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The mark of each token id, and the id without it."""
        of_all = self.vocabulary_size + self.n_item_tokens
        return tokens // of_all, tokens % of_all

    def item_rows(self, item_tokens: Tensor) -> ItemRows:
        """The embeddings of the distinct ones of some item tokens, to be used more than once."""
        distinct = torch.unique(item_tokens)
        return ItemRows(distinct, self.item_embeddings(distinct))

    def item_embeddings(self, item_tokens: Tensor | None = None) -> Tensor:
        """[M, H] embeddings of item tokens (numbers 0..T-1); of all T where none are given."""
        if item_tokens is None:
            every: Tensor = self.item_embedding.weight + self.text_projection(self.scaled_features)
            return every
        given: Tensor = self.item_embedding(item_tokens) + self.text_projection(
            functional.embedding(item_tokens, self.scaled_features)
        )
        return given

    def item_logits(self, hidden: Tensor, item_tokens: Tensor | None = None) -> Tensor:
        """Scores of item tokens: inner products of hidden states and item embeddings, in fp32.

        Args:
            hidden: [N, H].
            item_tokens: [M] numbers 0..T-1; None: all T.

        Returns:
            [N, M or T].
        """
        return _inner_products(hidden, self.item_embeddings(item_tokens))

    def label_logits(
        self, hidden: Tensor, candidates: Tensor | None = None, items: ItemRows | None = None
    ) -> Tensor:
        """Scores of (No, Yes), in fp32: a linear map of the hidden state, and on Yes
        scale·(<hidden, candidate> - centre).

        The query is embedded like the history's last item, so that its hidden state starts as the
        generator's for the next item, and the inner product as the generator's score of the
        candidate; training then teaches the hidden state to look at the candidate.

        Args:
            hidden: [N, H] at the label positions.
            candidates: [N, length] item tokens of the candidates; None: the linear map alone
                (layout `instruct`).
            items: embeddings of the candidates' tokens, where they are there already.

        Returns:
            [N, 2].
        """
        head = self.label_head
        logits = _inner_products(hidden, head.linear.weight) + head.linear.bias.float()
        if candidates is None:
            return logits
        items = self.item_rows(candidates) if items is None else items
        rows = functional.embedding(items.places(candidates), items.embeddings.float())
        embeddings = rows.mean(1) if candidates.shape[1] > 1 else rows[:, 0]
        inner = (hidden.float() * embeddings).sum(1)
        generator_score = head.scale.float() * (inner - head.centre.float())
        return logits + torch.stack([torch.zeros_like(generator_score), generator_score], dim=1)


def _inner_products(hidden: Tensor, rows: Tensor) -> Tensor:
    """[N, M] in fp32: bf16 would round a log-probability of -8 to steps of 0.03."""
    with torch.autocast(hidden.device.type, enabled=False):
        return hidden.float() @ rows.float().T
