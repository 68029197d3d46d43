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
    Upsample,
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


def _resnet50() -> Network:
    """Bottlenecks; the 3x3 convolution takes the stride."""
    net = Builder("resnet50", (224, 224, 3))
    x = net(Pool("max", (3, 3), (2, 2), "same"), net.conv_bn(0, 64, 7, 2))
    for filters, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            step = stride if block == 0 else 1
            y = net.conv_bn(net.conv_bn(x, filters, 1, 1), filters, 3, step)
            y = net(BatchNorm(), net(Conv(4 * filters, (1, 1), **PLAIN), y))
            if block == 0:
                shortcut = Conv(4 * filters, (1, 1), "same", (step, step), **PLAIN)
                x = net(BatchNorm(), net(shortcut, x))
            x = net(Relu(), net(Add(), y, x))
    net(Dense(1000, "linear"), net(GlobalPool(), x))
    return net.network()


def _googlenet() -> Network:
    """Szegedy et al., 2015, without normalisation and side outputs."""
    net = Builder("googlenet", (224, 224, 3))
    pool = Pool("max", (3, 3), (2, 2), "same")
    x = net(pool, net(Conv(64, (7, 7), "same", (2, 2)), 0))
    x = net(Conv(192, (3, 3), "same"), net(Conv(64, (1, 1)), x))
    stages = (
        ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
        (
            (192, 96, 208, 16, 48, 64),
            (160, 112, 224, 24, 64, 64),
            (128, 128, 256, 24, 64, 64),
            (112, 144, 288, 32, 64, 64),
            (256, 160, 320, 32, 128, 128),
        ),
        ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
    )
    for modules in stages:
        x = net(pool, x)
        for one, before_3, three, before_5, five, pooled in modules:
            branches = (
                net(Conv(one, (1, 1)), x),
                net(Conv(three, (3, 3), "same"), net(Conv(before_3, (1, 1)), x)),
                net(Conv(five, (5, 5), "same"), net(Conv(before_5, (1, 1)), x)),
                net(Conv(pooled, (1, 1)), net(Pool("max", (3, 3), (1, 1), "same"), x)),
            )
            x = net(Concat(), *branches)
    net(Dense(1000, "linear"), net(GlobalPool(), x))
    return net.network()


def _densenet40() -> Network:
    """DenseNet-BC (Huang et al., 2017) of 40 layers, 12 channels each."""
    net = Builder("densenet40", (32, 32, 3))
    x = net(Conv(24, (3, 3), "same", **PLAIN), 0)
    for block in range(3):
        for _ in range(6):
            y = net(Conv(48, (1, 1), **PLAIN), net(Relu(), net(BatchNorm(), x)))
            y = net(Conv(12, (3, 3), "same", **PLAIN), net(Relu(), net(BatchNorm(), y)))
            x = net(Concat(), x, y)
        x = net(Relu(), net(BatchNorm(), x))
        if block < 2:
            x = net(Conv(net.channels(x) // 2, (1, 1), **PLAIN), x)
            x = net(Pool("average"), x)
    net(Dense(10, "linear"), net(GlobalPool(), x))
    return net.network()


def _mobilenet_v2() -> Network:
    """Sandler et al., 2018, width 1, with ReLUs that have no upper end."""
    net = Builder("mobilenet_v2", (224, 224, 3))
    x = net.conv_bn(0, 32, 3, 2)
    for expansion, filters, blocks, stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):
        for block in range(blocks):
            step = stride if block == 0 else 1
            wide = expansion * net.channels(x)
            y = net.conv_bn(x, wide, 1, 1) if expansion > 1 else x
            y = net(Relu(), net(BatchNorm(), net(Depthwise((step, step)), y)))
            y = net(BatchNorm(), net(Conv(filters, (1, 1), **PLAIN), y))
            x = net(Add(), y, x) if block > 0 else y
    x = net.conv_bn(x, 1280, 1, 1)
    net(Dense(1000, "linear"), net(GlobalPool(), x))
    return net.network()


def _generator() -> Network:
    """Of a DCGAN for 64x64 pixels, as Keras's example has it, from its first map on."""
    net = Builder("generator", (8, 8, 128))
    x = 0
    for filters in (128, 256, 512):
        x = net(Relu(), net(Up(filters, 4), x))
    net(Conv(3, (5, 5), "same", activation="linear"), x)
    return net.network()


def _autoencoder() -> Network:
    """Maps are halved twice and come back by upsampling and convolutions."""
    net = Builder("autoencoder", (64, 64, 3))
    x = 0
    for filters in (32, 64):
        x = net(Pool("max"), net(Conv(filters, (3, 3), "same"), x))
    x = net(Conv(128, (3, 3), "same"), x)
    for filters in (64, 32):
        x = net(Conv(filters, (3, 3), "same"), net(Upsample(), x))
    net(Conv(3, (3, 3), "same", activation="linear"), x)
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
        _googlenet(),
        _resnet50(),
        _densenet40(),
        _mobilenet_v2(),
        _generator(),
        _autoencoder(),
        Network(
            "discriminator",  # of the generator's GAN
            (64, 64, 3),
            (
                Conv(64, (4, 4), "same", (2, 2)),
                Conv(128, (4, 4), "same", (2, 2)),
                Conv(128, (4, 4), "same", (2, 2)),
                Flatten(),
                Dense(2, "linear"),
            ),
        ),
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
