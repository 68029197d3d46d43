# SPDX-License-Identifier: Apache-2.0
"""add_loss in the `call` of layers: it counts in the loss and trains."""

import numpy as np
import pytest

import pronghorn as ph
from pronghorn import ops

RNG = np.random.default_rng(8)
X = RNG.normal(size=(11, 5)).astype(np.float32)
Y = RNG.normal(size=(11, 3)).astype(np.float32)


class Adds(ph.layers.Layer):
    """A dense layer with a loss of its own."""

    def __init__(self, loss, units=3):
        super().__init__()
        self.loss, self.units = loss, units

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1], self.units))

    def call(self, x):
        y = ops.matmul(x, self.kernel)
        self.add_loss(self.loss(y, self.kernel))
        return y


# What is added, its value and its slopes by the output y and by the kernel k.
TERMS = {
    "mean": (
        lambda y, k: 0.3 * ops.mean(ops.square(y)),
        lambda y, k: (0.3 * (y**2).mean(), 0.6 * y / y.size, 0),
    ),
    "sum": (
        lambda y, k: ops.sum(y**2) / 4 - 2,
        lambda y, k: ((y**2).sum() / 4 - 2, y / 2, 0),
    ),
    "tensor": (lambda y, k: y, lambda y, k: (y.sum(), np.ones_like(y), 0)),
    "per image": (
        lambda y, k: ops.mean(y**3, axis=-1),
        lambda y, k: ((y**3).mean(axis=-1).sum(), y**2, 0),
    ),
    "weights": (
        lambda y, k: ops.sum(ops.square(k)),
        lambda y, k: ((k**2).sum(), 0, 2 * k),
    ),
    "several": (
        lambda y, k: [1 - ops.mean(y), -ops.sum(y) * 0.5, 2 * k],
        lambda y, k: (
            1 - y.mean() - y.sum() / 2 + 2 * k.sum(),
            -np.ones_like(y) / y.size - 0.5,
            2,
        ),
    ),
}


@pytest.mark.parametrize("name", TERMS)
def test_counts_and_trains(name):
    loss, formula = TERMS[name]
    model = ph.Sequential([ph.Input((5,)), Adds(loss)])
    model.compile(ph.optimizers.SGD(0.1), "mse")
    kernel = model.get_weights()[0].astype(float)
    y = X @ kernel
    value, by_output, by_kernel = formula(y, kernel)
    mse = ((y - Y) ** 2).mean()
    np.testing.assert_allclose(
        model.evaluate(X, Y, batch_size=11, verbose=0), mse + value, rtol=1e-5
    )
    found = model.train_on_batch(X, Y)
    np.testing.assert_allclose(found, mse + value, rtol=1e-5)
    slope = X.T @ (2 * (y - Y) / y.size + by_output) + by_kernel
    np.testing.assert_allclose(
        model.get_weights()[0], kernel - 0.1 * slope, rtol=1e-4, atol=1e-6
    )


def test_layers_shared_and_nested():
    layer = Adds(TERMS["mean"][0])
    inner = ph.Sequential([ph.Input((5,)), layer])
    a, b = ph.Input((5,)), ph.Input((5,))
    model = ph.Model([a, b], ph.layers.Add()([inner(a), layer(b)]))
    model.compile("sgd", "mse")
    outputs = [inner.predict(x, verbose=0) for x in (X, 2 * X)]
    penalties = [0.3 * (y**2).mean() for y in outputs]
    mse = ((outputs[0] + outputs[1] - Y) ** 2).mean()
    found = model.evaluate([X, 2 * X], Y, batch_size=11, verbose=0)
    np.testing.assert_allclose(found, mse + sum(penalties), rtol=1e-5)


def test_in_the_call_of_a_model():
    class Net(ph.Model):
        def __init__(self):
            super().__init__()
            self.dense = ph.layers.Dense(3)

        def call(self, x):
            y = self.dense(x)
            self.add_loss(ops.mean(ops.abs(y)))
            return y

    model = Net()
    model.compile("sgd", "mse")
    y = model.predict(X, verbose=0)
    found = model.evaluate(X, Y, batch_size=11, verbose=0)
    np.testing.assert_allclose(
        found, ((y - Y) ** 2).mean() + np.abs(y).mean(), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda y, k: 3.0, "with tensors computed there, got 3.0"),
        (lambda y, k: ops.mean(y) * ops.mean(y), "whole batch: it can be scaled"),
        (lambda y, k: ops.sqrt(ops.mean(y)), "whole batch: it can be scaled"),
        (lambda y, k: ops.mean(y) + y, "whole batch: it can be scaled"),
        (lambda y, k: ops.max(y), "axis=None would include the batch"),
    ],
)
def test_what_cannot_be_added(loss, message):
    model = ph.Sequential([Adds(loss)])
    model.compile("sgd", "mse")
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(X, Y, verbose=0)


def test_outside_of_call():
    layer = ph.layers.Dense(3)
    with pytest.raises(ValueError, match="`add_loss` inside of `call`"):
        layer.add_loss(X)
    with pytest.raises(ValueError, match="`add_loss` inside of `call`"):
        layer.add_loss(layer(ph.Input((5,))))


def test_without_loss_and_truth():
    model = ph.Sequential([ph.Input((5,)), Adds(TERMS["mean"][0])])
    model.compile(ph.optimizers.SGD(0.1))
    losses = [0.3 * (model.predict(X, verbose=0) ** 2).mean()]
    for y in (None, Y):
        losses += model.fit(X, y, batch_size=11, verbose=0).history["loss"]
        losses.append(model.evaluate(X, y, batch_size=11, verbose=0))
    np.testing.assert_allclose(losses[:-1:2], losses[1::2], rtol=1e-5)
    assert losses[-1] < losses[0]
    model.compile("sgd", metrics=["mse"])
    with pytest.raises(ValueError, match="expected y, got None"):
        model.fit(X)


def test_no_loss_at_all():
    model = ph.Sequential([ph.Input((5,)), ph.layers.Dense(3)])
    model.compile("sgd")
    for y in (None, Y):
        with pytest.raises(ValueError, match="no loss to compute"):
            model.fit(X, y, verbose=0)
