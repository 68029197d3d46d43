# SPDX-License-Identifier: Apache-2.0
"""Normalisation in Keras's modes: transfer learning, moving statistics, adapting."""

import numpy as np
import pytest

import pronghorn

keras = pytest.importorskip("keras", reason="the extra [parity] is not installed")

SHAPE = (7, 6, 3)
RNG = np.random.default_rng(11)
X = (3 * RNG.normal(size=(26, *SHAPE)) + 1).astype(np.float32)
Y = RNG.normal(size=(26, 2)).astype(np.float32)
CLOSE = {"rtol": 5e-4, "atol": 2e-5}


def transfer(api, freeze):
    """A head on an encoder with batch normalisation, frozen in one of the ways."""
    layers = api.layers
    encoder = api.Sequential(
        [
            api.Input(SHAPE),
            layers.Conv2D(5, 3, name="c"),
            layers.BatchNormalization(momentum=0.8, name="n"),
            layers.ReLU(),
            layers.Flatten(),
        ],
        name="encoder",
    )
    inputs = api.Input(SHAPE)
    if freeze == "all":
        encoder.trainable = False
    elif freeze == "norm":
        encoder.get_layer("n").trainable = False
    model = api.Model(inputs, layers.Dense(2, name="head")(encoder(inputs)))
    model.compile(api.optimizers.SGD(0.02, momentum=0.5), "mse")
    return model


@pytest.mark.parametrize("freeze", ["nothing", "all", "norm"])
def test_transfer_learning(freeze):
    ours, theirs = (transfer(api, freeze) for api in (pronghorn, keras))
    rng = np.random.default_rng(5)
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    initial = [rng.uniform(0.1, 0.6, w.shape) for w in theirs.weights]
    for model in (ours, theirs):
        model.set_weights(initial)
        model.fit(X, Y, batch_size=13, epochs=2, shuffle=False, verbose=0)
    for got, wanted in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(got, wanted, **CLOSE)
    np.testing.assert_allclose(
        ours.predict(X, verbose=0), theirs.predict(X, verbose=0), **CLOSE
    )


@pytest.mark.parametrize("axis", [-1, None, (1, 3), (1, 2, 3)])
def test_adapt(axis):
    ours, theirs = (api.layers.Normalization(axis=axis) for api in (pronghorn, keras))
    for layer in (ours, theirs):
        layer.adapt(X)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours(X), np.asarray(theirs(X)), **CLOSE)
