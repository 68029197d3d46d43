# SPDX-License-Identifier: Apache-2.0
"""The networks of the benchmarks, once; every engine builds its model from them."""

from __future__ import annotations

from typing import Any

from .description import (
    Add,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Depthwise,
    Flatten,
    GlobalPool,
    Layer,
    Network,
    Pool,
    Relu,
    Shape,
    Up,
)

PLAIN: dict[str, Any] = {"activation": "linear", "bias": False}  # before a BatchNorm


class Builder:
    """Records layers on the values they take: `y = net(layer, x)`."""

    def __init__(self, name: str, input_shape: Shape) -> None:
        """A network of no layers; value 0 is its input."""
        self.name, self.input_shape = name, input_shape
        self.layers: list[Layer] = []
        self.wiring: list[tuple[int, ...]] = []

    def __call__(self, layer: Layer, *values: int) -> int:
        """Adds a layer; returns the number of its output."""
        self.layers.append(layer)
        self.wiring.append(values)
        return len(self.layers)

    def conv_bn(self, x: int, filters: int, kernel: int, stride: int) -> int:
        """Convolution without bias, batch normalisation, ReLU."""
        size, steps = (kernel, kernel), (stride, stride)
        y = self(Conv(filters, size, "same", steps, **PLAIN), x)
        return self(Relu(), self(BatchNorm(), y))

    def channels(self, value: int) -> int:
        """The channels of a value."""
        return self.network().shapes()[value][-1]

    def network(self) -> Network:
        """What has been recorded."""
        layers, wiring = tuple(self.layers), tuple(self.wiring)
        return Network(self.name, self.input_shape, layers, wiring)


def _block(net: Builder, x: int, filters: int, stride: int) -> int:
    """Two 3x3 convolutions and a shortcut (He et al., 2016)."""
    y = net.conv_bn(x, filters, 3, stride)
    y = net(BatchNorm(), net(Conv(filters, (3, 3), "same", **PLAIN), y))
    if stride > 1 or net.channels(x) != filters:
        shortcut = Conv(filters, (1, 1), "same", (stride, stride), **PLAIN)
        x = net(BatchNorm(), net(shortcut, x))
    return net(Relu(), net(Add(), y, x))


def _resnet20() -> Network:
    net = Builder("resnet20", (32, 32, 3))
    x = net.conv_bn(0, 16, 3, 1)
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        for block in range(3):
            x = _block(net, x, filters, stride if block == 0 else 1)
    net(Dense(10, "linear"), net(GlobalPool(), x))
    return net.network()


def _resnet18() -> Network:
    net = Builder("resnet18", (224, 224, 3))
    x = net(Pool("max", (3, 3), (2, 2), "same"), net.conv_bn(0, 64, 7, 2))
    for filters, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for block in range(2):
            x = _block(net, x, filters, stride if block == 0 else 1)
    net(Dense(1000, "linear"), net(GlobalPool(), x))
    return net.network()


def _mobilenet() -> Network:
    """Howard et al., 2017, width 1."""
    net = Builder("mobilenet", (224, 224, 3))
    x = net.conv_bn(0, 32, 3, 2)
    widths = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
    for i, filters in enumerate(widths):
        stride = 2 if i in (1, 3, 5, 11) else 1
        x = net(Relu(), net(BatchNorm(), net(Depthwise((stride, stride)), x)))
        x = net.conv_bn(x, filters, 1, 1)
    net(Dense(1000, "linear"), net(GlobalPool(), x))
    return net.network()


def _unet() -> Network:
    """Ronneberger et al., 2015, with padding, from 32 channels on."""
    net = Builder("unet", (128, 128, 1))
    x, skips = 0, []
    for filters in (32, 64, 128, 256):
        x = net(Conv(filters, (3, 3), "same"), x)
        x = net(Conv(filters, (3, 3), "same"), x)
        skips.append(x)
        x = net(Pool("max"), x)
    x = net(Conv(512, (3, 3), "same"), x)
    x = net(Conv(512, (3, 3), "same"), x)
    for filters in (256, 128, 64, 32):
        x = net(Concat(), skips.pop(), net(Up(filters), x))
        x = net(Conv(filters, (3, 3), "same"), x)
        x = net(Conv(filters, (3, 3), "same"), x)
    net(Conv(2, (1, 1), activation="linear"), x)
    return net.network()


def _vgg(name: str, blocks: tuple[int, ...]) -> Network:
    """Simonyan and Zisserman, 2015."""
    layers: list[Layer] = []
    for filters, convolutions in zip((64, 128, 256, 512, 512), blocks, strict=True):
        layers += [Conv(filters, (3, 3), "same")] * convolutions
        layers.append(Pool("max"))
    layers += [Flatten(), Dense(4096), Dense(4096), Dense(1000, "linear")]
    return Network(name, (224, 224, 3), tuple(layers))


def _alexnet() -> Network:
    """Krizhevsky et al., 2012, on one machine and without normalisation."""
    overlapping = Pool("max", (3, 3), (2, 2))
    return Network(
        "alexnet",
        (227, 227, 3),
        (
            Conv(96, (11, 11), stride=(4, 4)),
            overlapping,
            Conv(256, (5, 5), "same"),
            overlapping,
            Conv(384, (3, 3), "same"),
            Conv(384, (3, 3), "same"),
            Conv(256, (3, 3), "same"),
            overlapping,
            Flatten(),
            Dense(4096),
            Dense(4096),
            Dense(1000, "linear"),
        ),
    )


NETWORKS = {
    network.name: network
    for network in (
        Network(
            "lenet5",
            (32, 32, 1),
            (
                Conv(6, (3, 3)),
                Pool("average"),
                Conv(16, (3, 3)),
                Pool("average"),
                Flatten(),
                Dense(120),
                Dense(84),
                Dense(10, "linear"),
            ),
        ),
        Network(
            "lenet_caffe",
            (28, 28, 1),
            (
                Conv(20, (5, 5), "same"),
                Pool("max"),
                Conv(50, (5, 5), "same"),
                Pool("max"),
                Flatten(),
                Dense(500),
                Dense(10, "linear"),
            ),
        ),
        Network(
            "cifar",
            (32, 32, 3),
            (
                Conv(32, (3, 3), "same"),
                Conv(32, (3, 3)),
                Pool("max"),
                Conv(64, (3, 3), "same"),
                Conv(64, (3, 3)),
                Pool("max"),
                Flatten(),
                Dense(512),
                Dense(10, "linear"),
            ),
        ),
        _resnet20(),
        _alexnet(),
        _vgg("vgg11", (1, 1, 2, 2, 2)),
        _vgg("vgg16", (2, 2, 3, 3, 3)),
        _resnet18(),
        _mobilenet(),
        _unet(),
        Network("mlp", (784,), (Dense(512), Dense(512), Dense(10, "linear"))),
        # The odd ones are there for their answers: every size and stride unlike the
        # next, windows that overlap or leave cells out, nothing a multiple of a vector.
        Network(
            "odd_strides",
            (29, 23, 5),
            (
                Conv(7, (3, 5), "same", (2, 1)),
                Pool("max", (3, 3), (2, 2)),
                Conv(11, (2, 3), "valid", (1, 2), "tanh"),
                Flatten(),
                Dense(13, "tanh"),
                Dense(3, "linear"),
            ),
        ),
        Network(
            "odd_pools",
            (17, 19, 2),
            (
                Pool("average", (3, 2), (1, 2)),
                Conv(9, (4, 1), "same"),
                Pool("average", (2, 3), (3, 2)),
                Conv(1, (1, 1), activation="linear"),
                Flatten(),
                Dense(5, "linear"),
            ),
        ),
    )
}


def parse(text: str) -> tuple[Network, int]:
    """Network and batch of `name:batch`."""
    name, _, batch = text.partition(":")
    if name not in NETWORKS or not batch.isdecimal() or int(batch) < 1:
        known = ", ".join(NETWORKS)
        raise ValueError(
            f"expected NETWORK:BATCH with one of {known}, received {text!r}"
        )
    return NETWORKS[name], int(batch)
