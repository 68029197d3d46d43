# SPDX-License-Identifier: Apache-2.0
"""The NumPy references that check_op trusts, against Keras itself."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
import pytest

from pronghorn.testing import reference

keras = pytest.importorskip("keras", reason="the extra [parity] is not installed")

TOLERANCE = {"rtol": 2e-5, "atol": 2e-5}


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def probabilities(seed, *shape):
    draw = np.random.default_rng(seed).uniform(0.05, 1, shape)
    return (draw / draw.sum(axis=-1, keepdims=True)).astype(np.float32)


def agree(ours, theirs):
    np.testing.assert_allclose(ours, np.asarray(theirs), **TOLERANCE)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("strides", "dilation", "groups"),
    [
        ((1, 1), (1, 1), 1),
        ((2, 3), (1, 1), 1),
        ((1, 1), (2, 3), 1),
        ((2, 1), (1, 1), 3),
    ],
)
@pytest.mark.parametrize("kernel", [(1, 1), (2, 3), (3, 3), (4, 2)])
@pytest.mark.parametrize("size", [(9, 8), (10, 11)])
def test_conv2d(padding, strides, dilation, groups, kernel, size):
    x = normal(1, 2, *size, 6)
    w = normal(2, *kernel, 6 // groups, 9)
    attributes = {
        "strides": strides, "padding": padding, "dilation": dilation, "groups": groups,
    }  # fmt: skip
    theirs = keras.ops.conv(
        x, w, strides=strides, padding=padding, dilation_rate=dilation
    )
    agree(reference.conv2d((x, w), attributes), theirs)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (3, 2)])
@pytest.mark.parametrize("pool", [(2, 2), (3, 2), (1, 4)])
@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
@pytest.mark.parametrize("kind", ["max", "average"])
def test_pools(padding, strides, pool, size, kind):
    x = normal(3, 2, *size, 5)
    ours = getattr(reference, f"{kind}_pool2d")(
        (x,), {"pool_size": pool, "strides": strides, "padding": padding}
    )
    layers = keras.layers
    layer = layers.MaxPooling2D if kind == "max" else layers.AveragePooling2D
    agree(ours, layer(pool, strides, padding)(x))


def test_explicit_padding_is_padding_by_hand():
    x, w = normal(4, 2, 6, 7, 3), normal(5, 3, 3, 3, 4)
    padded = np.pad(x, ((0, 0), (1, 2), (0, 3), (0, 0)))
    ours = reference.conv2d((x, w), {"padding": [1, 2, 0, 3]})
    agree(ours, keras.ops.conv(padded, w, padding="valid"))


@pytest.mark.parametrize("kind", ["relu", "tanh", "sigmoid"])
def test_activation(kind):
    x = 20 * normal(6, 4, 33)
    agree(
        reference.activation((x,), {"kind": kind}),
        getattr(keras.activations, kind)(x),
    )


@pytest.mark.parametrize(
    ("slope", "threshold", "ceiling"),
    [(0.0, 0.0, None), (0.3, 0.0, None), (0.0, 0.5, 1.0), (0.2, 0.7, 1.5), (0, 0, 6)],
)
def test_relu(slope, threshold, ceiling):
    x = 3 * normal(7, 4, 50)
    layer = keras.layers.ReLU(ceiling, slope, threshold)
    attributes = {
        "negative_slope": slope,
        "threshold": threshold,
        "max_value": np.inf if ceiling is None else ceiling,
    }
    agree(reference.relu((x,), attributes), layer(x))


@pytest.mark.parametrize("axis", [-1, 1, 2])
def test_softmax(axis):
    x = 4 * normal(8, 2, 5, 7)
    agree(reference.softmax((x,), {"axis": axis}), keras.ops.softmax(x, axis=axis))


@pytest.mark.parametrize("shape", [(4, 7), (4, 3, 7)])
@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_crossentropies(shape, from_logits, label_smoothing):
    y_pred = normal(9, *shape) if from_logits else probabilities(10, *shape)
    labels = np.random.default_rng(11).integers(0, 7, shape[:-1])
    one_hot = np.eye(7, dtype=np.float32)[labels]
    losses = keras.losses
    attributes = {"from_logits": from_logits, "label_smoothing": label_smoothing}
    theirs = losses.sparse_categorical_crossentropy(labels, y_pred, from_logits)
    agree(
        reference.sparse_categorical_crossentropy((y_pred, labels), attributes),
        reference.mean_per_image(np.asarray(theirs)),
    )
    for name in ("categorical_crossentropy", "binary_crossentropy"):
        theirs = getattr(losses, name)(one_hot, y_pred, from_logits, label_smoothing)
        ours = getattr(reference, name)((y_pred, one_hot), attributes)
        agree(ours, reference.mean_per_image(np.asarray(theirs)))


@pytest.mark.parametrize(
    "name", ["sparse_categorical_crossentropy", "categorical_crossentropy"]
)
def test_unnormalised_and_extreme_probabilities(name):
    y_pred = np.array([[0.2, 0.5, 0.4], [0, 1, 0], [0, 1, 0]], np.float32)
    labels = np.array([1, 1, 2])
    y_true = (
        labels if name.startswith("sparse") else np.eye(3, dtype=np.float32)[labels]
    )
    theirs = getattr(keras.losses, name)(y_true, y_pred)
    agree(getattr(reference, name)((y_pred, y_true), {}), theirs)


def test_extreme_binary_probabilities():
    y_pred = np.array([[0.0], [1.0], [0.0], [1.0]], np.float32)
    y_true = np.array([[0.0], [1.0], [1.0], [0.0]], np.float32)
    theirs = keras.losses.binary_crossentropy(y_true, y_pred)
    agree(reference.binary_crossentropy((y_pred, y_true), {}), theirs)


@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error"])
def test_regression(name):
    a, b = normal(12, 5, 3, 4), normal(13, 5, 3, 4)
    theirs = reference.mean_per_image(np.asarray(getattr(keras.losses, name)(b, a)))
    agree(getattr(reference, name)((a, b), {}), theirs)


def test_accuracies():
    y_pred, labels = (
        probabilities(14, 40, 5),
        np.random.default_rng(15).integers(0, 5, 40),
    )
    y_pred[0] = [0.1, 0.3, 0.3, 0.3, 0.0]
    one_hot = np.eye(5, dtype=np.float32)[labels]
    metrics = keras.metrics
    agree(
        reference.sparse_categorical_accuracy((y_pred, labels), {}),
        metrics.sparse_categorical_accuracy(labels, y_pred),
    )
    agree(
        reference.categorical_accuracy((y_pred, one_hot), {}),
        metrics.categorical_accuracy(one_hot, y_pred),
    )
    agree(
        reference.binary_accuracy((y_pred, one_hot), {"threshold": 0.2}),
        reference.mean_per_image(
            np.asarray(metrics.binary_accuracy(one_hot, y_pred, threshold=0.2))
        ),
    )
