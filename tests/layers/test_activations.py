# SPDX-License-Identifier: Apache-2.0
"""Activations by name in any layer, and the layers that are activations."""

import inspect
import math

import numpy as np
import pytest

from pronghorn import Model, Sequential, activations, layers
from pronghorn.testing import arrays, check_layer

# class, arguments, input, output, parameters
CASES = [
    ("LeakyReLU", {}, (6, 5), (6, 5), 0),
    ("LeakyReLU", {"negative_slope": 0.0}, (7,), (7,), 0),
    ("ELU", {}, (6, 5), (6, 5), 0),
    ("ELU", {"alpha": 0.3}, (7,), (7,), 0),
    ("PReLU", {}, (6, 5, 2), (6, 5, 2), 60),
    ("PReLU", {"shared_axes": [1, 2], "alpha_initializer": "ones"}, (6, 5, 4),
     (6, 5, 4), 4),
    ("PReLU", {"shared_axes": 1}, (6, 5), (6, 5), 5),
    ("PReLU", {"alpha_regularizer": "l2", "alpha_constraint": "non_neg",
               "alpha_initializer": "ones"},
     (5,), (5,), 5),
    ("Maxout", {"num_units": 2}, (6,), (2,), 0),
    ("Maxout", {"num_units": 3, "axis": 1}, (6, 5), (3, 5), 0),
    ("Maxout", {"num_units": 4, "axis": -2}, (3, 4, 5), (3, 4, 5), 0),
    ("Softmax", {"axis": [1, 2]}, (4, 3, 2), (4, 3, 2), 0),
    ("Softmax", {"axis": [-1, 1]}, (4, 3, 2), (4, 3, 2), 0),
]  # fmt: skip
BY_NAME = sorted(
    name
    for name, function in inspect.getmembers(activations, inspect.isfunction)
    if function.__module__ == activations.__name__
    and not name.startswith("_")
    and name not in ("get", "serialize", "deserialize", "lower", "relu_op", "threshold")
)


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{name}-{i}" for i, (name, *_) in enumerate(CASES)]
)
def test_layer(case):
    name, kwargs, shape, output_shape, parameters = case
    check_layer(
        getattr(layers, name),
        kwargs,
        input_shape=shape,
        output_shape=output_shape,
        parameters=parameters,
    )


@pytest.mark.parametrize("name", BY_NAME)
def test_by_name_in_a_layer_as_on_arrays(name):
    x = arrays.spread(1, 17, 6, 4, scale=3)
    function = getattr(activations, name)
    expected = function(x)
    np.testing.assert_array_equal(layers.Activation(name)(x), expected)
    np.testing.assert_array_equal(layers.Activation(function)(x), expected)
    dense = layers.Dense(4, activation=name)
    dense.build(x.shape)
    dense.set_weights([np.eye(4), np.zeros(4)])
    np.testing.assert_allclose(dense(x), expected, rtol=1e-6)
    assert dense.get_config()["activation"] == activations.serialize(function)
    conv = layers.Conv2D(4, 1, activation=name)
    conv.build((None, 6, 1, 4))
    conv.set_weights([np.eye(4)[None, None], np.zeros(4)])
    np.testing.assert_allclose(conv(x[:, :, None])[:, :, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("name", BY_NAME)
def test_trains_by_name(name):
    x, y = arrays.normal(1, 40, 5), arrays.normal(2, 40, 2)
    model = Sequential(
        [layers.Dense(8), layers.Activation(name), layers.Dense(2, "linear")]
    )
    model.compile("adam", "mse")
    losses = model.fit(x, y, epochs=25, batch_size=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_aliases_and_unknown_names():
    assert activations.get("swish") is activations.silu
    assert activations.get("hard_swish") is activations.hard_silu
    assert activations.get(None) is activations.linear
    with pytest.raises(ValueError, match=r"Unknown activation.*'reelu'.*tanh_shrink"):
        activations.get("reelu")
    with pytest.raises(ValueError, match="activation 'threshold' has arguments"):
        layers.Activation("threshold")(np.ones((2, 3)))


def test_arguments_of_functions():
    x = np.array([-2.0, -0.25, 0.25, 2.0])
    np.testing.assert_allclose(activations.leaky_relu(x, 0.5), [-1, -0.125, 0.25, 2])
    np.testing.assert_allclose(activations.hard_shrink(x, 0.2), x)
    np.testing.assert_allclose(activations.soft_shrink(x, 0.25), [-1.75, 0, 0, 1.75])
    np.testing.assert_allclose(activations.threshold(x, 0.0, 7.0), [7, 7, 0.25, 2])
    np.testing.assert_allclose(activations.elu(x, 2.0)[0], 2 * math.expm1(-2))
    np.testing.assert_allclose(activations.squareplus(x, 0), [0, 0, 0.25, 2])
    assert activations.relu6(np.zeros((0, 3))).shape == (0, 3)
    assert activations.relu6(3.0).shape == ()
    for name in ("glu", "softmax", "log_softmax", "sparsemax"):
        with pytest.raises(ValueError, match=f"{name}: expected an axis"):
            getattr(activations, name)(x, axis=1)
    with pytest.raises(ValueError, match="hard_tanh: expected numbers"):
        activations.hard_tanh(["a"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.LeakyReLU(-0.1), "`negative_slope`.*-0.1"),
        (lambda: layers.LeakyReLU(None), "`negative_slope`.*None"),
        (lambda: layers.ELU("x"), "`alpha`.*'x'"),
        (lambda: layers.PReLU(shared_axes="x"), "`shared_axes`.*'x'"),
        (lambda: layers.PReLU(shared_axes=[3])(np.ones((2, 3, 3))), "from 1 to 2"),
        (lambda: layers.PReLU(shared_axes=[0])(np.ones((2, 3, 3))), "from 1 to 2"),
        (lambda: layers.PReLU()(layers.Input((None, 3))), "known sizes"),
        (lambda: layers.Maxout(0), "`num_units`.*got 0"),
        (lambda: layers.Maxout(4)(np.ones((2, 6))), "multiple of num_units=4"),
        (lambda: layers.Maxout(2, axis=0)(np.ones((2, 6))), "behind the batch"),
        (lambda: layers.Maxout(2, axis=2)(np.ones((2, 6))), "behind the batch"),
        (lambda: layers.Softmax(axis=[1, 1])(np.ones((2, 6))), "different axes"),
        (lambda: layers.Softmax(axis=[0, 1])(np.ones((2, 6))), "different axes"),
        (lambda: layers.Softmax(axis=[]), "`axis`"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_slopes_are_shared_whatever_the_size_of_the_image():
    layer = layers.PReLU(shared_axes=[1, 2], alpha_initializer="ones")
    assert layer(layers.Input((None, None, 3))).shape == (None, None, None, 3)
    for size in (2, 5):
        x = arrays.normal(size, 2, size, size + 1, 3)
        np.testing.assert_array_equal(layer(x), x)


def test_the_old_name_of_the_slope():
    with pytest.warns(UserWarning, match="`alpha` is deprecated"):
        layer = layers.LeakyReLU(alpha=0.5)
    np.testing.assert_array_equal(layer(np.array([[-2.0, 2.0]])), [[-1, 2]])


MASKS = [(4, 5), (5,), (4, 1), (1, 5)]


@pytest.mark.parametrize("shape", MASKS)
@pytest.mark.parametrize("axis", [-1, 1, [1, 2]])
def test_masked_softmax(shape, axis):
    x = arrays.normal(1, 17, 4, 5)
    mask = np.random.default_rng(2).random(shape) < 0.6
    y = layers.Softmax(axis)(x, mask=mask)
    axes = tuple(axis) if isinstance(axis, list) else axis
    low = np.where(mask, x, np.float64(-1e9))
    e = np.exp(low - low.max(axis=axes, keepdims=True))
    expected = np.where(mask, e / e.sum(axis=axes, keepdims=True), 0)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-7)


def test_masked_softmax_in_a_model():
    x, mask = layers.Input((6,)), layers.Input((6,))
    model = Model([x, mask], layers.Softmax()(x, mask=mask))
    data = arrays.normal(1, 9, 6)
    kept = (arrays.normal(2, 9, 6) > 0).astype(np.float32)
    kept[:, 0] = 1
    expected = layers.Softmax()(data, mask=kept.astype(bool))
    np.testing.assert_array_equal(model.predict([data, kept], verbose=0), expected)
    assert (expected[kept == 0] == 0).all()
    with pytest.raises(ValueError, match="mask that broadcasts"):
        layers.Softmax()(data, mask=np.ones((9, 5)))
