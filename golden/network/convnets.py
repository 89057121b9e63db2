"""Convolutional networks of the pruning literature, batch norms left out: they are not counted and join nothing new.

Tensor names are those of torchvision's files. What is alive hardly depends on the size of the images; the sizes here
are those that the networks were published for, or, of the VGG networks, the form that pruning papers use on CIFAR.
"""

from __future__ import annotations

from collections.abc import Sequence

from xorweave.golden.network.layers import Activation, GlobalPool
from xorweave.golden.network.network import Network

# Maps of each stage's convolutions; a maximum of 2x2 follows each stage (Simonyan, Zisserman, 2015, table 1).
_VGG = {
    "vgg-16": ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3),
    "vgg-19": ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4),
}
# Expansion, maps, blocks and first stride of each stage (Sandler et al., 2018, table 2).
_MOBILENET_V2 = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip


def _vgg(name: str, classes: int) -> Network:
    network = Network(name)
    x = network.input((3, 32, 32))
    place = 0
    for stage in _VGG[name]:
        for width in stage:
            x = network.relu(network.conv(x, f"features.{place}.weight", width, 3, padding=1))
            place += 3  # a convolution, its norm, its rectifier
        x = network.pool(x, 2)
        place += 1
    network.dense(network.flatten(x), "classifier.weight", classes, bias="classifier.bias")
    return network


def vgg_16() -> Network:
    """VGG-16 for CIFAR-10, 3x32x32: 13 convolutions and one layer of 10 outputs, 14,715,584 weights."""
    return _vgg("vgg-16", 10)


def vgg_19() -> Network:
    """VGG-19 for CIFAR-100, 3x32x32: 16 convolutions and one layer of 100 outputs, 20,070,080 weights."""
    return _vgg("vgg-19", 100)


def _resnet(name: str, blocks: Sequence[int], bottleneck: bool) -> Network:
    """Build a residual network for ImageNet (He et al., 2016, table 1); the stride lies on the 3x3 convolutions."""
    network = Network(name)
    x = network.relu(network.conv(network.input((3, 224, 224)), "conv1.weight", 64, 7, stride=2, padding=3))
    x = network.pool(x, 3, stride=2, padding=1)
    channels = 64
    for stage, count in enumerate(blocks, 1):
        inner = 64 << (stage - 1)
        width = 4 * inner if bottleneck else inner
        for block in range(count):
            stem = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            if bottleneck:
                y = network.relu(network.conv(x, f"{stem}.conv1.weight", inner, 1))
                y = network.relu(network.conv(y, f"{stem}.conv2.weight", inner, 3, stride=stride, padding=1))
                y = network.conv(y, f"{stem}.conv3.weight", width, 1)
            else:
                y = network.relu(network.conv(x, f"{stem}.conv1.weight", inner, 3, stride=stride, padding=1))
                y = network.conv(y, f"{stem}.conv2.weight", inner, 3, padding=1)
            if stride != 1 or channels != width:
                x = network.conv(x, f"{stem}.downsample.0.weight", width, 1, stride=stride)
            x = network.relu(network.sum(x, y))
            channels = width
    x = network.flatten(network.add(GlobalPool("average"), x))
    network.dense(x, "fc.weight", 1000, bias="fc.bias")
    return network


def resnet_18() -> Network:
    """ResNet-18 for ImageNet, 3x224x224: 11,678,912 weights."""
    return _resnet("resnet-18", (2, 2, 2, 2), bottleneck=False)


def resnet_50() -> Network:
    """ResNet-50 for ImageNet, 3x224x224: 25,502,912 weights."""
    return _resnet("resnet-50", (3, 4, 6, 3), bottleneck=True)


def mobilenet_v2() -> Network:
    """MobileNetV2 for ImageNet, 3x224x224: 3,469,760 weights."""
    network = Network("mobilenet-v2")

    def joined(x: str, stem: str, width: int, kernel: int, stride: int = 1, groups: int = 1) -> str:
        y = network.conv(
            x, f"{stem}.weight", width, kernel, stride=stride, padding=kernel // 2, groups=groups
        )
        return network.add(Activation("relu6"), y)

    x = joined(network.input((3, 224, 224)), "features.0.0", 32, 3, stride=2)
    channels, place = 32, 1
    for expansion, width, count, first in _MOBILENET_V2:
        for block in range(count):
            stride = first if block == 0 else 1
            inner, stem = expansion * channels, f"features.{place}.conv"
            y, part = x, 0
            if expansion != 1:
                y, part = joined(y, f"{stem}.0.0", inner, 1), 1
            y = joined(y, f"{stem}.{part}.0", inner, 3, stride=stride, groups=inner)
            y = network.conv(y, f"{stem}.{part + 1}.weight", width, 1)
            x = network.sum(x, y) if stride == 1 and channels == width else y
            channels, place = width, place + 1
    x = joined(x, f"features.{place}.0", 1280, 1)
    x = network.flatten(network.add(GlobalPool("average"), x))
    network.dense(x, "classifier.1.weight", 1000, bias="classifier.1.bias")
    return network
