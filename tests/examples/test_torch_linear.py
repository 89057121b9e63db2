"""A torch.nn.Linear on encoded weights: the example's layer, and its BERT beside PyTorch's own encoder."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import xorweave as xw

torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra train)")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "torch_linear.py"
_HEADS, _WIDTH, _INNER, _LAYERS, _WORDS = 4, 32, 96, 2, 50


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("torch_linear", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_layer_multiplies_as_its_dequantised_weights(example: ModuleType) -> None:
    rng = np.random.default_rng(0)
    encoded = xw.encode(
        {"fc": rng.standard_normal((40, 70), np.float32)},
        dtype="int8",
        sparsity=0.8,
        goal="products",
        per_row=True,
    )
    bias = torch.from_numpy(rng.standard_normal(40).astype(np.float32))
    layer = example.EncodedLinear(encoded["fc"], bias)
    x = torch.from_numpy(rng.standard_normal((3, 5, 70)).astype(np.float32))
    x[0, 0] = 0
    x[0, 1] = torch.linspace(-1e-20, 1e20, 70)
    dense = torch.from_numpy(encoded.decode(dequantized=True)["fc"]).double()
    exact = torch.nn.functional.linear(x.double(), dense, bias.double())
    made = layer(x)
    assert made.shape == (3, 5, 40) and made.dtype == torch.float32
    # half a step of each activation, 2^-14.5 of the largest one, times the row's weights
    bound = x.double().abs().amax(-1, keepdim=True) / (2 * 128 * 127) * dense.abs().sum(1)
    assert ((made - exact).abs() <= bound + 1e-6 * (1 + exact.abs())).all()
    assert torch.equal(made[0, 0], bias)
    with pytest.raises(ValueError, match="must be quantised to INT8, not fp16"):
        example.EncodedLinear(xw.encode(np.eye(8, dtype=np.float16))["weights"])


def bert() -> dict[str, torch.Tensor]:
    made = torch.Generator().manual_seed(1)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=made) / shape[-1] ** 0.5

    embeddings = {"word": _WORDS, "position": 20, "token_type": 2}
    weights = {
        f"embeddings.{name}_embeddings.weight": drawn(rows, _WIDTH) for name, rows in embeddings.items()
    }
    norms, linears = ["embeddings.LayerNorm"], {}
    for layer in range(_LAYERS):
        at = f"encoder.layer.{layer}"
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            linears[f"{at}.attention.{name}"] = (_WIDTH, _WIDTH)
        linears[f"{at}.intermediate.dense"] = (_INNER, _WIDTH)
        linears[f"{at}.output.dense"] = (_WIDTH, _INNER)
        norms += [f"{at}.attention.output.LayerNorm", f"{at}.output.LayerNorm"]
    for name in norms:
        weights |= {f"{name}.weight": 1 + drawn(_WIDTH), f"{name}.bias": drawn(_WIDTH)}
    for name, shape in linears.items():
        weights |= {f"{name}.weight": drawn(*shape), f"{name}.bias": drawn(shape[0])}
    return weights


def test_the_model_is_pytorchs_encoder(example: ModuleType) -> None:
    weights, tokens = bert(), [3, 17, 49, 0, 8]
    layer = torch.nn.TransformerEncoderLayer(
        _WIDTH, _HEADS, _INNER, dropout=0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
    )
    encoder = torch.nn.TransformerEncoder(layer, _LAYERS, enable_nested_tensor=False).eval()
    for number, block in enumerate(encoder.layers):
        at = f"encoder.layer.{number}"
        attention = [f"{at}.attention.self.{what}" for what in ("query", "key", "value")]
        for part in ("weight", "bias"):
            held = {
                f"self_attn.in_proj_{part}": torch.cat([weights[f"{name}.{part}"] for name in attention]),
                f"self_attn.out_proj.{part}": weights[f"{at}.attention.output.dense.{part}"],
                f"linear1.{part}": weights[f"{at}.intermediate.dense.{part}"],
                f"linear2.{part}": weights[f"{at}.output.dense.{part}"],
                f"norm1.{part}": weights[f"{at}.attention.output.LayerNorm.{part}"],
                f"norm2.{part}": weights[f"{at}.output.LayerNorm.{part}"],
            }
            block.load_state_dict(held, strict=False)
    x = (
        weights["embeddings.word_embeddings.weight"][tokens]
        + weights["embeddings.position_embeddings.weight"][:5]
    )
    x = x + weights["embeddings.token_type_embeddings.weight"][0]
    norm = (weights["embeddings.LayerNorm.weight"], weights["embeddings.LayerNorm.bias"])
    x = torch.nn.functional.layer_norm(x, (_WIDTH,), *norm, eps=1e-12)

    def linear(name: str, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    with torch.no_grad():
        expected = torch.nn.functional.normalize(encoder(x[None])[0].mean(0), dim=0)
        assert torch.allclose(example.embedding(weights, tokens, linear, _HEADS), expected, atol=1e-5)


def test_embeddings_by_encoded_weights_agree(example: ModuleType) -> None:
    cosines, encoded = example.compared(bert(), [[1, 2, 3], [4, 40, 11, 12, 9, 9]], 0.8, _HEADS)
    assert len(encoded) == 2 * _LAYERS
    assert min(cosines) > 0.9999


def test_words_become_the_longest_pieces_known(example: ModuleType) -> None:
    pieces = ["[CLS]", "[SEP]", "[UNK]", "un", "##aff", "##able", "##a", "the", "."]
    known = {piece: number for number, piece in enumerate(pieces)}
    assert example.words_of("The unaffable. zebra", known) == [0, 7, 3, 4, 5, 8, 2, 1]
