"""A transformer of one layer, of dense layers and embeddings alone, so that it is stacked as they are."""

import math

import torch
from torch import Tensor, nn

from genbook.models.networks import leaves_the_global_generator, refuse_empty


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al., 2017); inputs [..., T, width] to outputs of that shape."""

    def __init__(self, width: int, heads: int):
        """`heads` must divide `width`."""
        super().__init__()
        if width % heads:
            raise ValueError(f"width is {width}; want a multiple of heads = {heads}")
        self.heads = heads
        self.projected, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, inputs: Tensor) -> Tensor:
        """Every token looks at every other."""
        heads = self.projected(inputs).unflatten(-1, (3, self.heads, -1)).movedim(-3, 0)
        query, key, value = heads.transpose(-2, -3)  # [..., heads, T, width / heads] each
        attended = (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1) @ value
        return self.out(attended.transpose(-2, -3).flatten(-2))


class Transformer(nn.Module):
    """Embedding of tokens and places, one block of attention and MLP, the mean over tokens, one dense layer."""

    def __init__(self, vocabulary: int, length: int, width: int, heads: int, outputs: int):
        """As `transformer` says."""
        super().__init__()
        self.token, self.place = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))
        self.norm3, self.head = nn.LayerNorm(width), nn.Linear(width, outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens [..., T] to outputs [..., C]."""
        places = torch.arange(tokens.shape[-1], device=tokens.device).expand_as(tokens)
        hidden = self.token(tokens) + self.place(places)
        hidden = hidden + self.attention(self.norm1(hidden))
        hidden = hidden + self.mlp(self.norm2(hidden))
        return self.head(self.norm3(hidden).mean(-2))


@leaves_the_global_generator
def transformer(vocabulary: int, length: int, width: int = 32, heads: int = 2, outputs: int = 10) -> Transformer:
    """Transformer of one layer, normalised before each part; integer tokens [B, length] below `vocabulary`."""
    refuse_empty(vocabulary=vocabulary, length=length, width=width, heads=heads, outputs=outputs)
    return Transformer(vocabulary, length, width, heads, outputs)
