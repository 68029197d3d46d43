# SPDX-License-Identifier: Apache-2.0
"""Normalisation layers: the promises of check_layer, modes, freezing, adapting."""

import numpy as np
import pytest

from pronghorn import Input, Model, Sequential, layers
from pronghorn.optimizers import SGD
from pronghorn.testing import arrays, check_layer

# class, arguments, input, parameters
CASES = [
    ("BatchNormalization", {}, (7,), 28),
    ("BatchNormalization", {"momentum": 0.5, "epsilon": 0.1}, (5, 4, 3), 12),
    ("BatchNormalization", {"axis": 1, "scale": False}, (5, 4, 3), 15),
    ("BatchNormalization", {"center": False, "gamma_initializer": "zeros",
                            "moving_mean_initializer": "ones"}, (6, 3), 9),
    ("LayerNormalization", {}, (7,), 14),
    ("LayerNormalization", {"axis": [1, 2]}, (5, 4, 3), 40),
    ("LayerNormalization", {"axis": (-1, -2), "center": False}, (5, 4, 3), 12),
    ("LayerNormalization", {"axis": 1, "scale": False}, (5, 4, 3), 5),
    ("GroupNormalization", {"groups": 2}, (5, 4, 6), 12),
    ("GroupNormalization", {"groups": -1, "axis": 1}, (5, 4, 6), 10),
    ("GroupNormalization", {"groups": 3, "scale": False}, (6,), 6),
    ("RMSNormalization", {}, (7,), 7),
    ("RMSNormalization", {"axis": [1, 3], "epsilon": 0.1}, (5, 4, 3), 15),
    ("UnitNormalization", {}, (7,), 0),
    ("UnitNormalization", {"axis": (1, 2)}, (5, 4, 3), 0),
    ("LocalResponseNormalization", {}, (5, 4, 9), 0),
    ("LocalResponseNormalization", {"depth_radius": 2, "bias": 2, "alpha": 1e-4,
                                    "beta": 0.75}, (5, 4, 9), 0),
    ("LocalResponseNormalization", {"data_format": "channels_first"}, (9, 4, 5), 0),
    ("Normalization", {}, (5, 4, 3), 7),
    ("Normalization", {"axis": None}, (5, 4), 3),
    ("Normalization", {"mean": 1.5, "variance": 2}, (5, 4), 0),
    ("Normalization", {"axis": [1, 2], "mean": [1, 2, 3], "variance": [0, 1, 4],
                       "invert": True}, (2, 3), 0),
]  # fmt: skip


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{name}-{i}" for i, (name, *_) in enumerate(CASES)]
)
def test_layer(case):
    name, kwargs, shape, parameters = case
    check_layer(
        getattr(layers, name), kwargs, input_shape=shape, output_shape=shape,
        parameters=parameters,
    )  # fmt: skip


def batch_norm(x, mean, variance, gamma=1, beta=0, epsilon=1e-3):
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def test_modes_of_batch_normalization():
    layer = layers.BatchNormalization(momentum=0.75)
    x = arrays.normal(1, 10, 4, 3)
    mean, variance = x.mean((0, 1)), x.var((0, 1))
    np.testing.assert_allclose(layer(x), batch_norm(x, 0, 1), rtol=1e-5)
    y = layer(x, training=True)
    np.testing.assert_allclose(y, batch_norm(x, mean, variance), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean.value, mean / 4, rtol=1e-5)
    moved = 0.75 + variance / 4
    np.testing.assert_allclose(layer.moving_variance.value, moved, rtol=1e-5)
    expected = batch_norm(x, mean / 4, moved)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)
    layer.trainable = False
    y = layer(x, training=True)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean.value, mean / 4, rtol=1e-5)
    layer.trainable = True
    layer(x, training=True)
    np.testing.assert_allclose(layer.moving_mean.value, mean * 7 / 16, rtol=1e-5)


def test_weights_are_in_keras_order():
    layer = layers.BatchNormalization()
    layer.build((None, 5))
    names = [weight.name for weight in layer.weights]
    assert names == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [w.name for w in layer.trainable_weights] == ["gamma", "beta"]


def test_one_sample_per_batch():
    model = Sequential([Input((3,)), layers.BatchNormalization(), layers.Dense(2)])
    model.compile(SGD(0.1), "mse")
    x, y = arrays.normal(1, 4, 3), arrays.normal(2, 4, 2)
    history = model.fit(x, y, batch_size=1, epochs=3, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert np.isfinite(model.predict(x, verbose=0)).all()


def encoder_and_head(freeze):
    """A head that trains on an encoder with a frozen batch normalisation."""
    encoder = Sequential(
        [Input((6, 6, 2)), layers.Conv2D(4, 3), layers.BatchNormalization(name="norm"),
         layers.ReLU()]
    )  # fmt: skip
    rng = np.random.default_rng(3)
    encoder.set_weights([rng.uniform(0.2, 1, w.shape) for w in encoder.weights])
    inputs = Input((6, 6, 2))
    features = freeze(encoder, inputs)
    outputs = layers.Dense(2)(layers.Flatten()(features))
    model = Model(inputs, outputs)
    model.compile(SGD(0.01), "mse")
    return encoder, model


def by_trainable(encoder, inputs):
    encoder.trainable = False
    return encoder(inputs)


def by_call(encoder, inputs):
    return encoder(inputs, training=False)


@pytest.mark.parametrize("freeze", [by_trainable, by_call])
def test_frozen_encoder(freeze):
    """Transfer learning: the moving statistics stay, and the head sees inference."""
    encoder, model = encoder_and_head(freeze)
    before = encoder.get_weights()
    x, y = arrays.normal(1, 20, 6, 6, 2), arrays.normal(2, 20, 2)
    predicted = model.predict(x, verbose=0)
    loss = model.train_on_batch(x, y)
    assert loss == pytest.approx(np.mean((predicted - y) ** 2), rel=1e-4)
    model.fit(x, y, batch_size=5, epochs=2, verbose=0)
    moved = [
        not np.array_equal(old, new)
        for old, new in zip(before, encoder.get_weights(), strict=True)
    ]
    # kernel, bias, gamma, beta, moving mean and variance
    trains = freeze is by_call
    assert moved == [trains] * 4 + [False] * 2


def test_gradients_flow_through_a_frozen_normalisation():
    inputs = Input((4,))
    hidden = layers.Dense(5)(inputs)
    norm = layers.BatchNormalization()
    outputs = layers.Dense(2)(norm(hidden))
    model = Model(inputs, outputs)
    norm.trainable = False
    norm.set_weights([np.full(5, value) for value in (2, 1, 0.5, 0.25)])
    model.compile(SGD(0.1), "mse")
    x, y = arrays.normal(1, 8, 4), arrays.normal(2, 8, 2)
    kernel, bias = model.layers[1].get_weights()
    last, last_bias = model.layers[3].get_weights()
    z = batch_norm(x @ kernel + bias, 0.5, 0.25, 2, 1)
    error = (z @ last + last_bias - y) / y.size * 2
    slope = x.T @ (error @ last.T * 2 / np.sqrt(0.25 + 1e-3))
    model.train_on_batch(x, y)
    got = model.layers[1].get_weights()[0]
    np.testing.assert_allclose(got, kernel - 0.1 * slope, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("axis", [-1, None, (1, 2), 2])
def test_adapt(axis):
    x = (5 * arrays.normal(1, 40, 6, 3) + 2).astype(np.float32)
    layer = layers.Normalization(axis=axis)
    layer.adapt(x)
    kept = {-1: (2,), None: (), (1, 2): (1, 2), 2: (2,)}[axis]
    reduced = tuple(i for i in range(3) if i not in kept)
    mean, variance = x.mean(reduced), x.var(reduced)
    np.testing.assert_allclose(layer.mean, mean, rtol=1e-5)
    np.testing.assert_allclose(layer.variance, variance, rtol=1e-5)
    y = layer(x)
    wanted = (x - x.mean(reduced, keepdims=True)) / x.std(reduced, keepdims=True)
    np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)
    again = layers.Normalization(axis=axis)
    again.adapt([x[:7], x[7:20], x[20:]])
    np.testing.assert_allclose(again.variance, variance, rtol=1e-5)
    back = layers.Normalization(axis, mean, variance, invert=True)
    np.testing.assert_allclose(back(y), x, rtol=1e-4, atol=1e-5)
    layer.adapt(2 * x)  # forgets, and plans that exist see it
    np.testing.assert_allclose(layer(2 * x), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: layers.BatchNormalization(axis=0), "different axes from 1"),
        (lambda: layers.BatchNormalization(axis=3), "different axes from 1 to 2"),
        (lambda: layers.BatchNormalization(axis="x"), "`axis` to be an integer"),
        (lambda: layers.BatchNormalization(renorm=True), "renorm=False"),
        (lambda: layers.BatchNormalization(synchronized=True), "synchronized=False"),
        (lambda: layers.BatchNormalization(epsilon=-1), "`epsilon`"),
        (lambda: layers.LayerNormalization(axis=[1, -2]), "different axes"),
        (lambda: layers.GroupNormalization(groups=4), "divide the 6 channels"),
        (lambda: layers.GroupNormalization(groups=0), "`groups`"),
        (layers.GroupNormalization, "divide the 6 channels, got 32"),
        (lambda: layers.LocalResponseNormalization(-1), "`depth_radius`"),
        (lambda: layers.Normalization(mean=1.0), "both `mean` and `variance`"),
        (lambda: layers.Normalization(mean=[1], variance=[1, 2]), "same shape"),
        (lambda: layers.Normalization(mean=[1, 2], variance=[1, 2]), "to fit"),
        (lambda: layers.Normalization(mean="a", variance="b"), "`mean` to be numbers"),
    ],
)
def test_refusals(make, complaint):
    with pytest.raises(ValueError, match=complaint):
        make()(np.zeros((2, 5, 6), np.float32))


@pytest.mark.parametrize("axis", [1.5, "x", None, [1, "x"]])
def test_axis_of_the_wrong_type(axis):
    for cls in (
        layers.LayerNormalization, layers.RMSNormalization, layers.UnitNormalization
    ):  # fmt: skip
        with pytest.raises(TypeError, match="`axis`"):
            cls(axis=axis)


@pytest.mark.parametrize("data", ["text", [[1.0]], [], np.zeros((0, 3)), 5])
def test_nothing_to_adapt_to(data):
    with pytest.raises((ValueError, TypeError)):
        layers.Normalization().adapt(data)


def test_adapt_to_another_shape():
    layer = layers.Normalization()
    layer.adapt(np.ones((4, 3)))
    with pytest.raises(ValueError, match="expected data of shape"):
        layer.adapt(np.ones((4, 2)))
    given = layers.Normalization(mean=0.0, variance=1.0)
    with pytest.raises(ValueError, match="nothing to adapt"):
        given.adapt(np.ones((4, 3)))


def test_saved_with_a_model(tmp_path):
    def build():
        return Sequential(
            [Input((3,)), layers.Normalization(), layers.Dense(2),
             layers.BatchNormalization()]
        )  # fmt: skip

    first, second = build(), build()
    x = arrays.normal(1, 30, 3) * 3 + 1
    first.layers[0].adapt(x)
    first.compile("sgd", "mse")
    first.fit(x, arrays.normal(2, 30, 2), verbose=0)
    first.save_weights(tmp_path / "m.weights.h5")
    second.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(
        second.predict(x, verbose=0), first.predict(x, verbose=0)
    )
