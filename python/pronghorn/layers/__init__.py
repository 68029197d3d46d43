# SPDX-License-Identifier: Apache-2.0
"""Layers with Keras's names and arguments."""

from pronghorn.layers.activations import ReLU, Softmax
from pronghorn.layers.activity import ActivityRegularization
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
from pronghorn.layers.regularization import Dropout
from pronghorn.layers.reshaping import Flatten

Convolution2D = Conv2D

__all__ = [
    "Activation",
    "ActivityRegularization",
    "AveragePooling2D",
    "AvgPool2D",
    "Conv2D",
    "Convolution2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalAvgPool2D",
    "Input",
    "InputLayer",
    "Layer",
    "MaxPool2D",
    "MaxPooling2D",
    "ReLU",
    "Softmax",
]
