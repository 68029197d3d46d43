# SPDX-License-Identifier: Apache-2.0
"""Layers and arguments that Keras 3 has not, against plain NumPy."""

import numpy as np
import pytest

from pronghorn import layers

RNG = np.random.default_rng(3)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def called(layer, x):
    """What the layer makes of x, with drawn weights."""
    layer(x)
    layer.set_weights([normal(*weight.shape) for weight in layer.weights])
    return layer(x), layer.get_weights()


def last(x, data_format):
    return np.moveaxis(x, 1, -1) if data_format == "channels_first" else x


FORMATS = pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])


@FORMATS
@pytest.mark.parametrize("stride", [1, 2])
def test_locally_connected1d(data_format, stride):
    layer = layers.LocallyConnected1D(4, 3, strides=stride, data_format=data_format)
    x = normal(5, 9, 8)
    y, (kernel, bias) = called(layer, x)
    x, y = last(x, data_format), last(y, data_format)
    assert y.shape == (5, (x.shape[1] - 3) // stride + 1, 4)
    for place in range(y.shape[1]):
        window = x[:, place * stride : place * stride + 3].reshape(5, -1)
        expected = window @ kernel[place] + bias[place]
        np.testing.assert_allclose(y[:, place], expected, rtol=1e-5, atol=1e-5)


@FORMATS
@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
def test_locally_connected2d(data_format, strides):
    layer = layers.LocallyConnected2D(
        3, (2, 3), strides=strides, data_format=data_format, activation="relu"
    )
    x = normal(17, 6, 7, 6)
    y, (kernel, bias) = called(layer, x)
    x, y = last(x, data_format), last(y, data_format)
    rows, columns = (
        (x.shape[1] - 2) // strides[0] + 1,
        (x.shape[2] - 3) // strides[1] + 1,
    )
    assert y.shape == (17, rows, columns, 3)
    for row in range(rows):
        for column in range(columns):
            top, left = row * strides[0], column * strides[1]
            window = x[:, top : top + 2, left : left + 3].reshape(17, -1)
            expected = window @ kernel[row * columns + column] + bias[row, column]
            np.testing.assert_allclose(
                y[:, row, column], np.maximum(expected, 0), rtol=1e-5, atol=1e-5
            )


@FORMATS
@pytest.mark.parametrize("radius", [0, 1, 5])
def test_local_response_normalization(data_format, radius):
    layer = layers.LocalResponseNormalization(
        radius, bias=2.0, alpha=0.3, beta=0.75, data_format=data_format
    )
    x = normal(4, 9, 5, 9)
    y, x = last(layer(x), data_format), last(x, data_format)
    for channel in range(9):
        near = x[..., max(0, channel - radius) : channel + radius + 1]
        scale = (2.0 + 0.3 * np.sum(near**2, axis=-1)) ** 0.75
        np.testing.assert_allclose(y[..., channel], x[..., channel] / scale, rtol=1e-5)


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_maxout(axis):
    x = normal(5, 6, 12, 18)
    y = layers.Maxout(3, axis=axis)(x)
    parts = np.split(x, x.shape[axis] // 3, axis=axis)
    np.testing.assert_array_equal(y, np.maximum.reduce(parts))


@FORMATS
@pytest.mark.parametrize(
    ("rank", "cls", "arguments"),
    [
        (1, layers.Conv1D, {"filters": 4}),
        (2, layers.Conv2D, {"filters": 4, "strides": 2}),
        (3, layers.Conv3D, {"filters": 4, "dilation_rate": 2}),
        (1, layers.DepthwiseConv1D, {}),
        (2, layers.DepthwiseConv2D, {"depth_multiplier": 2}),
        (1, layers.SeparableConv1D, {"filters": 4}),
        (2, layers.SeparableConv2D, {"filters": 4, "strides": 2}),
    ],
)
def test_explicit_padding_is_padding_by_hand(data_format, rank, cls, arguments):
    borders = [(1, 2), (0, 3), (2, 0)][:rank]
    explicit = cls(kernel_size=3, padding=borders, data_format=data_format, **arguments)
    by_hand = cls(kernel_size=3, padding="valid", data_format=data_format, **arguments)
    x = normal(5, *[6] * (rank + 1))
    y, weights = called(explicit, x)
    channels = (0, 0)
    edges = (
        [channels, *borders]
        if data_format == "channels_first"
        else [*borders, channels]
    )
    padded = np.pad(x, [(0, 0), *edges])
    by_hand(padded)
    by_hand.set_weights(weights)
    np.testing.assert_allclose(y, by_hand(padded), rtol=1e-5, atol=1e-5)
