# SPDX-License-Identifier: Apache-2.0
"""Layers with Keras's names and arguments."""

from pronghorn.layers.activations import (
    ELU,
    LeakyReLU,
    Maxout,
    PReLU,
    ReLU,
    Softmax,
)
from pronghorn.layers.conv import Conv2D
from pronghorn.layers.core import Activation, Dense, Input, InputLayer
from pronghorn.layers.layer import Layer
from pronghorn.layers.pooling import (
    AveragePooling2D,
    AvgPool2D,
    GlobalAveragePooling2D,
    GlobalAvgPool2D,
    MaxPool2D,
    MaxPooling2D,
)
from pronghorn.layers.regularization import (
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from pronghorn.layers.reshaping import Flatten

Convolution2D = Conv2D

__all__ = [
    "Activation",
    "AlphaDropout",
    "AveragePooling2D",
    "AvgPool2D",
    "Conv2D",
    "Convolution2D",
    "Dense",
    "Dropout",
    "ELU",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling2D",
    "GlobalAvgPool2D",
    "Input",
    "InputLayer",
    "Layer",
    "LeakyReLU",
    "MaxPool2D",
    "MaxPooling2D",
    "Maxout",
    "PReLU",
    "ReLU",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
]
