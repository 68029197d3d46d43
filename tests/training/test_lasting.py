# SPDX-License-Identifier: Apache-2.0
"""What predictions keep of weights, folded norms and packed kernels, follows them."""

import numpy as np
import pytest

import pronghorn as ph

X = np.random.default_rng(1).normal(size=(3, 20, 21, 8)).astype(np.float32)
Y = np.random.default_rng(2).normal(size=(3, 5)).astype(np.float32)


def model_of():
    """A folded norm, a Winograd and a strided convolution, a dense layer."""
    return ph.Sequential(
        [
            ph.Input((20, 21, 8)),
            ph.layers.Conv2D(33, 3, padding="same"),
            ph.layers.BatchNormalization(),
            ph.layers.ReLU(),
            ph.layers.Conv2D(40, 3),
            ph.layers.Conv2D(34, 3, strides=2, activation="relu"),
            ph.layers.GlobalAveragePooling2D(),
            ph.layers.Dense(5, kernel_regularizer="l2"),
        ]
    )


@pytest.fixture
def model():
    """A model that keeps what it computed from its weights."""
    ph.utils.set_random_seed(3)
    made = model_of()
    made.compile(ph.optimizers.SGD(0.1), "mse")
    for _ in range(3):
        made.predict_on_batch(X)
    return made


def check(model):
    """The same as of a model that has never predicted, several times."""
    fresh = model_of()
    fresh.set_weights(model.get_weights())
    wanted = fresh.predict_on_batch(X)
    for _ in range(3):
        np.testing.assert_array_equal(model.predict_on_batch(X), wanted)
        np.testing.assert_array_equal(model(X), wanted)


def test_nothing_changes(model):
    check(model)


@pytest.mark.parametrize("index", range(8))
def test_assigned(model, index):
    weight = model.weights[index]
    weight.assign(weight.numpy() + 0.5)
    check(model)


def test_written_in_place(model):
    view = model.layers[0].kernel.value
    for factor in (2.0, 0.25):
        check(model)
        view *= factor
        check(model)
    del view
    check(model)


def test_trained(model):
    for _ in range(2):
        model.train_on_batch(X, Y)
        check(model)
    model.fit(X, Y, epochs=1, verbose=0)
    check(model)


def test_moving_statistics(model):
    before = model.predict_on_batch(X)
    model(X, training=True)
    assert (model.predict_on_batch(X) != before).any()
    check(model)


def test_shared_with_another_model(model):
    other = ph.Sequential([ph.Input((20, 21, 8)), *model.layers[:4]])
    other.compile(ph.optimizers.SGD(0.1), "mse")
    for _ in range(3):
        y = other.predict_on_batch(X)
    other.train_on_batch(X, np.zeros_like(y))
    check(model)


def test_loaded(model, tmp_path):
    model.save_weights(tmp_path / "a.weights.h5")
    model.train_on_batch(X, Y)
    check(model)
    model.load_weights(tmp_path / "a.weights.h5")
    check(model)


def test_penalties_of_weights_follow(model):
    losses = [model.evaluate(X, Y, verbose=0) for _ in range(4)]
    assert len(set(losses)) == 1
    dense = model.layers[-1].kernel
    change = 0.01 * ((2 * dense.numpy()) ** 2 - dense.numpy() ** 2).sum()
    predicted = model.predict_on_batch(X)
    dense.assign(2 * dense.numpy())
    errors = [((y - Y) ** 2).mean() for y in (predicted, model.predict_on_batch(X))]
    wanted = losses[0] + change + errors[1] - errors[0]
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), wanted, rtol=1e-5)
