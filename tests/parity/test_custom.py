# SPDX-License-Identifier: Apache-2.0
"""Code of users' own layers and models does the same in pronghorn and in Keras."""

import json

import numpy as np
import pytest

import pronghorn

keras = pytest.importorskip("keras")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ impl:DeprecationWarning")

RNG = np.random.default_rng(7)
X = RNG.normal(size=(20, 8, 7, 3)).astype(np.float32)
Y = RNG.normal(size=(20, 2)).astype(np.float32)


def layer_class(api):
    ops = api.ops

    class Attention(api.layers.Layer):
        """Weights the places of an image by what a softmax makes of them."""

        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.zoom = [api.layers.Conv2D(4, 3, padding="same", activation="relu")]
            self.out = {"a": api.layers.Dense(units), "b": api.layers.Dense(units)}

        def build(self, input_shape):
            self.scale = self.add_weight(
                shape=(4,), initializer="ones", trainable=True, name="scale"
            )
            self.still = self.add_weight(
                shape=(1,), initializer="ones", trainable=False, name="still"
            )
            self.query = self.add_weight(shape=(4, 1), initializer="ones", name="query")
            super().build(input_shape)

        def call(self, inputs, training=False):
            x = self.zoom[0](inputs) * self.scale
            flat = ops.reshape(x, (-1, x.shape[1] * x.shape[2], 4))
            score = ops.softmax(ops.matmul(flat, self.query), axis=1)
            pooled = ops.sum(flat * score, axis=1) + ops.mean(flat, axis=1)
            rest = ops.max(x[:, 1:, ::2], axis=(1, 2)) / (1.0 + ops.norm(self.query))
            joined = ops.concatenate([pooled, ops.tanh(rest) - self.still], axis=-1)
            return self.out["a"](joined) * ops.sigmoid(self.out["b"](joined))

    return Attention


def model_class(api):
    ops, attention = api.ops, layer_class(api)

    class Net(api.Model):
        def __init__(self):
            super().__init__()
            self.zed = attention(5)
            self.blocks = [api.layers.Dense(6, activation="tanh"), api.layers.Dense(2)]
            self.alone = api.layers.Dense(6)

        def call(self, inputs, training=False):
            x = self.zed(inputs)
            y = self.blocks[0](x) + ops.square(self.alone(x)) / 3.0
            return self.blocks[1](ops.where(y > 0.1, y, 0.5 * y))

    return Net


def functional(api):
    ops = api.ops
    image = api.Input((8, 7, 3), name="image")
    x = layer_class(api)(5)(image)
    y = api.layers.Dense(5)(x)
    z = ops.relu(x) + 2 * y - ops.exp(-ops.abs(x * y)) / 3
    return api.Model(image, api.layers.Dense(2)(z))


def subclassed(api):
    model = model_class(api)()
    model.build((None, 8, 7, 3))
    return model


@pytest.mark.parametrize("make", [functional, subclassed])
def test_same_weights_and_same_training(make, tmp_path):
    theirs, ours = make(keras), make(pronghorn)
    theirs(X[:1])  # Keras builds inner layers with the first data
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(
        ours.predict(X, verbose=0), theirs.predict(X, verbose=0), rtol=1e-4, atol=1e-5
    )
    losses = []
    for api, model in ((keras, theirs), (pronghorn, ours)):
        model.compile(api.optimizers.SGD(0.005, momentum=0.9), "mse")
        history = model.fit(X, Y, batch_size=6, epochs=3, shuffle=False, verbose=0)
        losses.append(history.history["loss"])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("make", [functional, subclassed])
def test_files_of_weights_go_both_ways(make, tmp_path):
    theirs, ours = make(keras), make(pronghorn)
    theirs(X[:1])
    path = tmp_path / "theirs.weights.h5"
    theirs.save_weights(path)
    ours.load_weights(path)
    expected = theirs.predict(X, verbose=0)
    np.testing.assert_allclose(
        ours.predict(X, verbose=0), expected, rtol=1e-4, atol=1e-5
    )
    path = tmp_path / "ours.weights.h5"
    ours.save_weights(path)
    other = make(keras)
    other(X[:1])
    other.load_weights(path)
    np.testing.assert_allclose(other.predict(X, verbose=0), expected, rtol=1e-6)


def plain(api):
    image = api.Input((8, 7, 3), name="image")
    conv = api.layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")
    inner_in = api.Input((8, 7, 4))
    pooled = api.layers.AveragePooling2D(2)(inner_in)
    inner = api.Model(inner_in, pooled, name="inner")
    x = inner(conv(image))
    y = api.layers.Flatten(name="flat")(x)
    return api.Model(
        image, [api.layers.Dense(2, name="head")(y), x], name="two_outputs"
    )


def test_json_of_keras_and_json_for_keras():
    theirs, ours = plain(keras), plain(pronghorn)
    read = pronghorn.models.model_from_json(theirs.to_json())
    back = keras.models.model_from_json(ours.to_json())
    weights = theirs.get_weights()
    for model in (ours, read, back):
        assert [layer.name for layer in model.layers] == [
            layer.name for layer in theirs.layers
        ]
        model.set_weights(weights)
    expected = theirs.predict(X, verbose=0)
    for model in (ours, read, back):
        for got, wanted in zip(model.predict(X, verbose=0), expected, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    a, b = json.loads(theirs.to_json()), json.loads(ours.to_json())
    for key in ("input_layers", "output_layers", "name"):
        assert a["config"][key] == b["config"][key]


def test_json_of_a_sequential():
    def make(api):
        return api.Sequential(
            [
                api.Input((5,)),
                api.layers.Dense(3, activation="relu"),
                api.layers.Dense(1),
            ]
        )

    theirs, ours = make(keras), make(pronghorn)
    for api, text in ((pronghorn, theirs.to_json()), (keras, ours.to_json())):
        model = api.models.model_from_json(text)
        model.set_weights(theirs.get_weights())
        np.testing.assert_allclose(
            model.predict(X[:, 0, :5, 0], verbose=0),
            theirs.predict(X[:, 0, :5, 0], verbose=0),
            rtol=1e-5,
            atol=1e-6,
        )
