# SPDX-License-Identifier: Apache-2.0
"""Layers with Keras's names and arguments."""

from pronghorn.layers.activations import ReLU, Softmax
from pronghorn.layers.conv import Conv2D
from pronghorn.layers.core import Activation, Dense, Input, InputLayer
from pronghorn.layers.feature_normalization import Normalization
from pronghorn.layers.layer import Layer
from pronghorn.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    LocalResponseNormalization,
    RMSNormalization,
    UnitNormalization,
)
from pronghorn.layers.pooling import (
    AveragePooling2D,
    AvgPool2D,
    GlobalAveragePooling2D,
    GlobalAvgPool2D,
    MaxPool2D,
    MaxPooling2D,
)
from pronghorn.layers.regularization import Dropout
from pronghorn.layers.reshaping import Flatten

Convolution2D = Conv2D

__all__ = [
    "Activation",
    "AveragePooling2D",
    "AvgPool2D",
    "BatchNormalization",
    "Conv2D",
    "Convolution2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalAvgPool2D",
    "GroupNormalization",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "LocalResponseNormalization",
    "MaxPool2D",
    "MaxPooling2D",
    "Normalization",
    "RMSNormalization",
    "ReLU",
    "Softmax",
    "UnitNormalization",
]
