"""Networks known by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.convnets import mobilenet_v2, resnet_18, resnet_50, vgg_16, vgg_19
from xorweave.golden.network.layers import Activation, Attention, GlobalPool, LayerNorm, Pad, Pool
from xorweave.golden.network.network import Network


def perceptron(widths: Sequence[int], *, name: str = "perceptron", stem: str = "fc") -> Network:
    """Fully connected network: widths[0] inputs, rectifiers between the layers `fc1`, `fc2` ...

    Raises
    ------
    InputError
        There are fewer than two widths.
    """
    if len(widths) < 2:
        raise InputError(f"a perceptron needs an input and an output width, not {tuple(widths)}")
    network = Network(name)
    x = network.input((widths[0],))
    for i, width in enumerate(widths[1:], 1):
        x = network.dense(x, f"{stem}{i}.weight", width, bias=f"{stem}{i}.bias")
        if i < len(widths) - 1:
            x = network.relu(x)
    return network


def lenet_300_100() -> Network:
    """LeNet-300-100 (LeCun et al., 1998): 784-300-100-10, 266,200 weights."""
    return perceptron((784, 300, 100, 10), name="lenet-300-100")


def lenet_5() -> Network:
    """LeNet-5 in the form pruning papers use (Caffe's): 20 and 50 maps of 5x5, 500 units, 430,500 weights."""
    network = Network("lenet-5")
    x = network.input((1, 28, 28))
    x = network.conv(x, "conv1.weight", 20, 5, bias="conv1.bias")
    x = network.pool(x, 2)
    x = network.conv(x, "conv2.weight", 50, 5, bias="conv2.bias")
    x = network.pool(x, 2)
    x = network.flatten(x)
    x = network.relu(network.dense(x, "fc1.weight", 500, bias="fc1.bias"))
    network.dense(x, "fc2.weight", 10, bias="fc2.bias")
    return network


def lenet_5_cifar() -> Network:
    """LeNet-5 as LeCun et al. (1998) sized it, on 3x32x32: 6 and 16 maps, 120 and 84 units; 61,770 weights."""
    network = Network("lenet-5-cifar")
    x = network.input((3, 32, 32))
    for number, maps in enumerate((6, 16), 1):
        x = network.relu(network.conv(x, f"conv{number}.weight", maps, 5, bias=f"conv{number}.bias"))
        x = network.pool(x, 2)
    x = network.flatten(x)
    for number, units in enumerate((120, 84), 1):
        x = network.relu(network.dense(x, f"fc{number}.weight", units, bias=f"fc{number}.bias"))
    network.dense(x, "fc3.weight", 10, bias="fc3.bias")
    return network


def resnet_20() -> Network:
    """ResNet-20 for CIFAR-10 (He et al., 2016, section 4.2), 268,336 weights, norms left out.

    Where a stage halves the maps, the shortcut takes every second position and fills the new channels with
    zeros, half of them before and half behind (the paper's option A).
    """
    network = Network("resnet-20")
    x = network.relu(network.conv(network.input((3, 32, 32)), "conv1.weight", 16, 3, padding=1))
    channels = 16
    for stage, width in enumerate((16, 32, 64), 1):
        for block in range(3):
            stem = f"layer{stage}.{block}"
            stride = width // channels
            y = network.relu(network.conv(x, f"{stem}.conv1.weight", width, 3, stride=stride, padding=1))
            y = network.conv(y, f"{stem}.conv2.weight", width, 3, padding=1)
            if stride == 2:
                x = network.add(Pool("average", (1, 1), (2, 2)), x)
                x = network.add(Pad((((width - channels) // 2,) * 2, (0, 0), (0, 0))), x)
            x = network.relu(network.sum(x, y))
            channels = width
    x = network.flatten(network.add(GlobalPool("average"), x))
    network.dense(x, "linear.weight", 10, bias="linear.bias")
    return network


def transformer_layer(
    *,
    tokens: int = 8,
    features: int = 384,
    inner: int = 1536,
    heads: int = 12,
    stem: str = "encoder.layer.0.",
) -> Network:
    """One encoder layer of BERT (Devlin et al., 2019), normalised after each sum; the defaults are MiniLM's.

    Tensor names are those of the published weight files. What is alive does not depend on `tokens`.
    """
    network = Network("transformer-layer")
    x = network.input((tokens, features))
    qkv = []
    for part in ("query", "key", "value"):
        own = f"{stem}attention.self.{part}"
        qkv.append(network.dense(x, f"{own}.weight", features, bias=f"{own}.bias"))
    y = network.add(Attention(heads), *qkv)
    own = f"{stem}attention.output"
    y = network.dense(y, f"{own}.dense.weight", features, bias=f"{own}.dense.bias")
    x = _normed_sum(network, x, y, own, features)
    y = network.dense(x, f"{stem}intermediate.dense.weight", inner, bias=f"{stem}intermediate.dense.bias")
    y = network.add(Activation("gelu"), y)
    own = f"{stem}output"
    y = network.dense(y, f"{own}.dense.weight", features, bias=f"{own}.dense.bias")
    _normed_sum(network, x, y, own, features)
    return network


def _normed_sum(network: Network, x: str, y: str, stem: str, features: int) -> str:
    norm = LayerNorm(features, f"{stem}.LayerNorm.weight", f"{stem}.LayerNorm.bias", 1e-12)
    return network.add(norm, network.sum(x, y))


CATALOGUE: dict[str, Callable[[], Network]] = {
    "lenet-300-100": lenet_300_100,
    "lenet-5": lenet_5,
    "lenet-5-cifar": lenet_5_cifar,
    "resnet-20": resnet_20,
    "vgg-16": vgg_16,
    "vgg-19": vgg_19,
    "resnet-18": resnet_18,
    "resnet-50": resnet_50,
    "mobilenet-v2": mobilenet_v2,
    "minilm-layer": transformer_layer,
}


def named_network(name: str) -> Network:
    """Build a network of the catalogue.

    Raises
    ------
    InputError
        There is no such network.
    """
    if name not in CATALOGUE:
        raise InputError(f"the network must be one of {', '.join(CATALOGUE)}, not {name!r}")
    return CATALOGUE[name]()
