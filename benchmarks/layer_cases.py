# SPDX-License-Identifier: Apache-2.0
"""The layers of the catalogue on typical shapes: in Keras's words, and in PyTorch's.

A case is (batch, shape of one image, Keras layer, PyTorch module or None). Shapes are
channels last; modules get the same data channels first. Several inputs are equal in
shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

IMAGE = (56, 56, 64)
SIGNAL = (1024, 64)
VOLUME = (16, 28, 28, 32)


@dataclass(frozen=True)
class Case:
    """A layer on one shape."""

    batch: int
    shape: tuple[int, ...]
    keras: Callable[[Any], Any]  # of keras.layers
    torch: Callable[[Any], Any] | None  # of torch.nn
    inputs: int = 1


def _activation(name: str, module: str = "", **arguments: Any) -> Case:
    return Case(
        16,
        IMAGE,
        lambda layers: layers.Activation(name),
        (lambda nn: getattr(nn, module)(**arguments)) if module else None,
    )


CASES: dict[str, Case] = {
    "Conv2D 3x3": Case(
        16,
        IMAGE,
        lambda layers: layers.Conv2D(64, 3, padding="same"),
        lambda nn: nn.Conv2d(64, 64, 3, padding=1),
    ),
    "Conv2D 3x3 strides 2": Case(
        16,
        IMAGE,
        lambda layers: layers.Conv2D(128, 3, strides=2),
        lambda nn: nn.Conv2d(64, 128, 3, stride=2),
    ),
    "Conv2D 1x1": Case(
        16,
        IMAGE,
        lambda layers: layers.Conv2D(128, 1),
        lambda nn: nn.Conv2d(64, 128, 1),
    ),
    "Conv2D 5x5 groups 4": Case(
        16,
        (28, 28, 64),
        lambda layers: layers.Conv2D(64, 5, padding="same", groups=4),
        lambda nn: nn.Conv2d(64, 64, 5, padding=2, groups=4),
    ),
    "Conv2D dilation 2": Case(
        16,
        (28, 28, 64),
        lambda layers: layers.Conv2D(64, 3, padding="same", dilation_rate=2),
        lambda nn: nn.Conv2d(64, 64, 3, padding=2, dilation=2),
    ),
    "Conv1D": Case(
        16,
        SIGNAL,
        lambda layers: layers.Conv1D(64, 5, padding="same"),
        lambda nn: nn.Conv1d(64, 64, 5, padding=2),
    ),
    "Conv3D": Case(
        2,
        VOLUME,
        lambda layers: layers.Conv3D(32, 3, padding="same"),
        lambda nn: nn.Conv3d(32, 32, 3, padding=1),
    ),
    "DepthwiseConv2D": Case(
        16,
        IMAGE,
        lambda layers: layers.DepthwiseConv2D(3, padding="same"),
        lambda nn: nn.Conv2d(64, 64, 3, padding=1, groups=64),
    ),
    "DepthwiseConv1D": Case(
        16,
        SIGNAL,
        lambda layers: layers.DepthwiseConv1D(5, padding="same"),
        lambda nn: nn.Conv1d(64, 64, 5, padding=2, groups=64),
    ),
    "SeparableConv2D": Case(
        16,
        IMAGE,
        lambda layers: layers.SeparableConv2D(128, 3, padding="same"),
        lambda nn: nn.Sequential(
            nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False),
            nn.Conv2d(64, 128, 1),
        ),
    ),
    "Conv2DTranspose": Case(
        16,
        (28, 28, 64),
        lambda layers: layers.Conv2DTranspose(32, 2, strides=2),
        lambda nn: nn.ConvTranspose2d(64, 32, 2, stride=2),
    ),
    "Conv2DTranspose 4x4": Case(
        16,
        (28, 28, 64),
        lambda layers: layers.Conv2DTranspose(32, 4, strides=2, padding="same"),
        lambda nn: nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1),
    ),
    "Dense": Case(
        128,
        (1024,),
        lambda layers: layers.Dense(512),
        lambda nn: nn.Linear(1024, 512),
    ),
    "MaxPooling2D": Case(
        16, IMAGE, lambda layers: layers.MaxPooling2D(), lambda nn: nn.MaxPool2d(2)
    ),
    "MaxPooling2D 3x3": Case(
        16,
        IMAGE,
        lambda layers: layers.MaxPooling2D(3, 2),
        lambda nn: nn.MaxPool2d(3, 2),
    ),
    "AveragePooling2D": Case(
        16, IMAGE, lambda layers: layers.AveragePooling2D(2), lambda nn: nn.AvgPool2d(2)
    ),
    "MaxPooling1D": Case(
        16, SIGNAL, lambda layers: layers.MaxPooling1D(), lambda nn: nn.MaxPool1d(2)
    ),
    "MaxPooling3D": Case(
        2, VOLUME, lambda layers: layers.MaxPooling3D(), lambda nn: nn.MaxPool3d(2)
    ),
    "AveragePooling3D": Case(
        2, VOLUME, lambda layers: layers.AveragePooling3D(2), lambda nn: nn.AvgPool3d(2)
    ),
    "GlobalAveragePooling2D": Case(
        16,
        IMAGE,
        lambda layers: layers.GlobalAveragePooling2D(),
        lambda nn: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    ),
    "GlobalMaxPooling2D": Case(
        16,
        IMAGE,
        lambda layers: layers.GlobalMaxPooling2D(),
        lambda nn: nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()),
    ),
    "AdaptiveAveragePooling2D": Case(
        16,
        IMAGE,
        lambda layers: layers.AdaptiveAveragePooling2D(7),
        lambda nn: nn.AdaptiveAvgPool2d(7),
    ),
    "AdaptiveMaxPooling2D": Case(
        16,
        IMAGE,
        lambda layers: layers.AdaptiveMaxPooling2D(7),
        lambda nn: nn.AdaptiveMaxPool2d(7),
    ),
    "BatchNormalization": Case(
        16,
        IMAGE,
        lambda layers: layers.BatchNormalization(),
        lambda nn: nn.BatchNorm2d(64),
    ),
    "LayerNormalization": Case(
        128,
        (64, 256),
        lambda layers: layers.LayerNormalization(),
        lambda nn: nn.LayerNorm(256),
    ),
    "GroupNormalization": Case(
        16,
        IMAGE,
        lambda layers: layers.GroupNormalization(8),
        lambda nn: nn.GroupNorm(8, 64),
    ),
    "LocalResponseNormalization": Case(
        16,
        IMAGE,
        lambda layers: layers.LocalResponseNormalization(),
        lambda nn: nn.LocalResponseNorm(11),
    ),
    "relu": _activation("relu", "ReLU"),
    "tanh": _activation("tanh", "Tanh"),
    "sigmoid": _activation("sigmoid", "Sigmoid"),
    "elu": _activation("elu", "ELU"),
    "selu": _activation("selu", "SELU"),
    "gelu": _activation("gelu", "GELU", approximate="tanh"),
    "silu": _activation("silu", "SiLU"),
    "mish": _activation("mish", "Mish"),
    "softplus": _activation("softplus", "Softplus"),
    "softsign": _activation("softsign", "Softsign"),
    "hard_sigmoid": _activation("hard_sigmoid", "Hardsigmoid"),
    "hard_silu": _activation("hard_silu", "Hardswish"),
    "softmax": _activation("softmax", "Softmax", dim=1),
    "LeakyReLU": Case(
        16, IMAGE, lambda layers: layers.LeakyReLU(), lambda nn: nn.LeakyReLU(0.3)
    ),
    "PReLU": Case(
        16,
        IMAGE,
        lambda layers: layers.PReLU(shared_axes=[1, 2]),
        lambda nn: nn.PReLU(64),
    ),
    "Dropout": Case(
        16, IMAGE, lambda layers: layers.Dropout(0.5), lambda nn: nn.Dropout(0.5)
    ),
    "SpatialDropout2D": Case(
        16,
        IMAGE,
        lambda layers: layers.SpatialDropout2D(0.5),
        lambda nn: nn.Dropout2d(0.5),
    ),
    "GaussianNoise": Case(16, IMAGE, lambda layers: layers.GaussianNoise(0.1), None),
    "UpSampling2D": Case(
        16,
        (28, 28, 64),
        lambda layers: layers.UpSampling2D(),
        lambda nn: nn.Upsample(scale_factor=2),
    ),
    "UpSampling2D bilinear": Case(
        16,
        (28, 28, 64),
        lambda layers: layers.UpSampling2D(interpolation="bilinear"),
        lambda nn: nn.Upsample(scale_factor=2, mode="bilinear"),
    ),
    "ZeroPadding2D": Case(
        16, IMAGE, lambda layers: layers.ZeroPadding2D(), lambda nn: nn.ZeroPad2d(1)
    ),
    "Cropping2D": Case(
        16, IMAGE, lambda layers: layers.Cropping2D(1), lambda nn: nn.ZeroPad2d(-1)
    ),
    "Permute": Case(16, IMAGE, lambda layers: layers.Permute((3, 1, 2)), None),
    "Add": Case(16, IMAGE, lambda layers: layers.Add(), None, 2),
    "Multiply": Case(16, IMAGE, lambda layers: layers.Multiply(), None, 2),
    "Maximum": Case(16, IMAGE, lambda layers: layers.Maximum(), None, 2),
    "Concatenate": Case(16, IMAGE, lambda layers: layers.Concatenate(), None, 2),
}

# The rest, most of them in one or three dimensions where they stand above in two.
CASES |= {
    "SeparableConv1D": Case(
        16,
        SIGNAL,
        lambda layers: layers.SeparableConv1D(64, 5, padding="same"),
        lambda nn: nn.Sequential(
            nn.Conv1d(64, 64, 5, padding=2, groups=64, bias=False),
            nn.Conv1d(64, 64, 1),
        ),
    ),
    "Conv1DTranspose": Case(
        16,
        SIGNAL,
        lambda layers: layers.Conv1DTranspose(64, 2, strides=2),
        lambda nn: nn.ConvTranspose1d(64, 64, 2, stride=2),
    ),
    "Conv3DTranspose": Case(
        4,
        (8, 14, 14, 32),
        lambda layers: layers.Conv3DTranspose(32, 2, strides=2),
        lambda nn: nn.ConvTranspose3d(32, 32, 2, stride=2),
    ),
    "AveragePooling1D": Case(
        16,
        SIGNAL,
        lambda layers: layers.AveragePooling1D(2),
        lambda nn: nn.AvgPool1d(2),
    ),
    "GlobalMaxPooling1D": Case(
        16,
        SIGNAL,
        lambda layers: layers.GlobalMaxPooling1D(),
        lambda nn: nn.Sequential(nn.AdaptiveMaxPool1d(1), nn.Flatten()),
    ),
    "GlobalAveragePooling1D": Case(
        16,
        SIGNAL,
        lambda layers: layers.GlobalAveragePooling1D(),
        lambda nn: nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten()),
    ),
    "GlobalMaxPooling3D": Case(
        4,
        VOLUME,
        lambda layers: layers.GlobalMaxPooling3D(),
        lambda nn: nn.Sequential(nn.AdaptiveMaxPool3d(1), nn.Flatten()),
    ),
    "GlobalAveragePooling3D": Case(
        4,
        VOLUME,
        lambda layers: layers.GlobalAveragePooling3D(),
        lambda nn: nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten()),
    ),
    "AdaptiveMaxPooling1D": Case(
        16,
        SIGNAL,
        lambda layers: layers.AdaptiveMaxPooling1D(7),
        lambda nn: nn.AdaptiveMaxPool1d(7),
    ),
    "AdaptiveAveragePooling3D": Case(
        4,
        VOLUME,
        lambda layers: layers.AdaptiveAveragePooling3D(7),
        lambda nn: nn.AdaptiveAvgPool3d(7),
    ),
    "RMSNormalization": Case(
        128,
        (64, 256),
        lambda layers: layers.RMSNormalization(),
        lambda nn: nn.RMSNorm(256),
    ),
    "UnitNormalization": Case(
        16, IMAGE, lambda layers: layers.UnitNormalization(), None
    ),
    "GaussianDropout": Case(
        16, IMAGE, lambda layers: layers.GaussianDropout(0.1), None
    ),
    "AlphaDropout": Case(
        16,
        IMAGE,
        lambda layers: layers.AlphaDropout(0.1),
        lambda nn: nn.AlphaDropout(0.1),
    ),
    "ReLU 6": Case(16, IMAGE, lambda layers: layers.ReLU(6.0), lambda nn: nn.ReLU6()),
    "Maxout": Case(128, (1024,), lambda layers: layers.Maxout(128), None),
    "LocallyConnected2D": Case(
        16, (14, 14, 32), lambda layers: layers.LocallyConnected2D(32, 3), None
    ),
    "Subtract": Case(16, IMAGE, lambda layers: layers.Subtract(), None, 2),
    "Minimum": Case(16, IMAGE, lambda layers: layers.Minimum(), None, 2),
    "Average": Case(16, IMAGE, lambda layers: layers.Average(), None, 2),
    "Dot": Case(32, (64, 128), lambda layers: layers.Dot(axes=2), None, 2),
    "TimeDistributed": Case(
        32,
        (20, 256),
        lambda layers: layers.TimeDistributed(layers.Dense(128)),
        lambda nn: nn.Linear(256, 128),
    ),
    "RepeatVector": Case(256, (256,), lambda layers: layers.RepeatVector(20), None),
    "UpSampling1D": Case(
        16,
        SIGNAL,
        lambda layers: layers.UpSampling1D(),
        lambda nn: nn.Upsample(scale_factor=2),
    ),
    "UpSampling3D": Case(
        4,
        (8, 14, 14, 32),
        lambda layers: layers.UpSampling3D(),
        lambda nn: nn.Upsample(scale_factor=2),
    ),
    "ZeroPadding3D": Case(
        4, VOLUME, lambda layers: layers.ZeroPadding3D(), lambda nn: nn.ZeroPad3d(1)
    ),
    "Cropping1D": Case(
        16, SIGNAL, lambda layers: layers.Cropping1D(1), lambda nn: nn.ZeroPad1d(-1)
    ),
    "Resizing": Case(16, IMAGE, lambda layers: layers.Resizing(32, 32), None),
    "Rescaling": Case(16, IMAGE, lambda layers: layers.Rescaling(1 / 255, -0.5), None),
    "celu": _activation("celu", "CELU"),
    "exponential": _activation("exponential"),
    "glu": _activation("glu", "GLU", dim=1),
    "hard_shrink": _activation("hard_shrink", "Hardshrink"),
    "hard_tanh": _activation("hard_tanh", "Hardtanh"),
    "log_sigmoid": _activation("log_sigmoid", "LogSigmoid"),
    "log_softmax": _activation("log_softmax", "LogSoftmax", dim=1),
    "soft_shrink": _activation("soft_shrink", "Softshrink"),
    "sparse_plus": _activation("sparse_plus"),
    "sparsemax": _activation("sparsemax"),
    "squareplus": _activation("squareplus"),
    "tanh_shrink": _activation("tanh_shrink", "Tanhshrink"),
}
