# SPDX-License-Identifier: Apache-2.0
"""gradients: by inputs, activations and weights, against finite differences."""

import numpy as np
import pytest

from pronghorn import Input, Model, Variable, gradients, layers, ops, utils
from pronghorn.testing import arrays

X = arrays.normal(1, 3, 7, 6, 2).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    utils.set_random_seed(0)
    image = Input((7, 6, 2))
    x = layers.Conv2D(3, 3, activation="tanh", name="conv")(image)
    side = layers.Flatten()(image)
    x = ops.concatenate([layers.Flatten()(x), side], axis=-1)
    x = layers.Dropout(0.5)(x)
    return Model(image, layers.Dense(4, name="head")(x))


def loss(y):
    return ops.sum(ops.square(y), axis=-1)


def value(model, x):
    return float(np.sum(np.square(model.predict(x, verbose=0), dtype=np.float64)))


def slope(function, at, seed):
    direction = arrays.normal(seed, *at.shape).astype(np.float32)
    step = np.float32(1e-2)
    up, down = function(at + step * direction), function(at - step * direction)
    return direction, (up - down) / (2 * step)


def test_by_the_input(model):
    gradient = gradients(model, X, loss=loss)
    assert gradient.shape == X.shape
    direction, expected = slope(lambda x: value(model, x), X, 3)
    assert np.sum(gradient * direction) == pytest.approx(expected, rel=1e-2)


def test_by_weights(model):
    kernel = model.get_layer("conv").kernel
    before = kernel.numpy()
    gradient = gradients(model, X, wrt=kernel, loss=loss)

    def moved(values):
        kernel.assign(values)
        return value(model, X)

    direction, expected = slope(moved, before, 4)
    kernel.assign(before)
    assert np.sum(gradient * direction) == pytest.approx(expected, rel=1e-2)


def test_by_weights_that_the_value_does_not_depend_on(model):
    """Zeros, whatever was in memory before."""
    image = Input((7, 6, 2))
    heads = [layers.Dense(5), layers.Dense(4), layers.Dense(3)]
    first, second, third = (head(layers.Flatten()(image)) for head in heads)
    several = Model(image, [first, second, third])
    kernels = [head.kernel for head in heads]

    def score(y, unread, compared):
        del unread
        return ops.sum(y, axis=-1) + ops.cast(ops.argmax(compared, axis=-1), "float32")

    gradients(model, X, wrt=model.get_layer("head").kernel, loss=loss)
    found = gradients(several, X, wrt=kernels, loss=score)
    assert np.abs(found[0]).max() > 0
    for gradient, kernel in zip(found[1:], kernels[1:], strict=True):
        np.testing.assert_array_equal(gradient, np.zeros(kernel.shape, np.float32))


def test_by_an_activation(model):
    conv = model.get_layer("conv")
    by_layer, by_input = gradients(model, X, wrt=[conv, model.input], loss=loss)
    by_tensor = gradients(model, X, wrt=conv.output, loss=loss)
    np.testing.assert_array_equal(by_layer, by_tensor)
    np.testing.assert_allclose(by_input, gradients(model, X, loss=loss), rtol=1e-5)
    head = model.get_layer("head").kernel.value[: 5 * 4 * 3]
    expected = 2 * model.predict(X, verbose=0) @ head.T
    np.testing.assert_allclose(by_layer.reshape(3, -1), expected, rtol=1e-4, atol=1e-5)


def test_scores_and_sums(model):
    single = [gradients(model, X, loss=i) for i in range(4)]
    np.testing.assert_allclose(gradients(model, X), sum(single), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(gradients(model, X, loss=-1), single[3])


def test_images_do_not_mix_and_nothing_changes(model):
    before = model.get_weights()
    one = gradients(model, X[1:2], loss=loss)
    np.testing.assert_allclose(
        gradients(model, X, loss=loss)[1:2], one, rtol=1e-4, atol=1e-6
    )
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_of_a_subclass():
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2, kernel_initializer="ones")

        def call(self, inputs):
            return self.dense(inputs) * inputs[:, :1]

    x = np.float32([[1, 2], [3, 4]])
    model = Net()
    np.testing.assert_allclose(gradients(model, x), [[8, 2], [20, 6]])
    kernel = gradients(model, x, wrt=model.dense.kernel)
    np.testing.assert_allclose(kernel, [[10, 10], [14, 14]])


def test_ascent_finds_what_excites_a_unit(model):
    x = X[:1].copy()
    start = model.predict(x, verbose=0)[0, 2]
    for _ in range(5):
        x = x + 0.1 * gradients(model, x, loss=2)
    assert model.predict(x, verbose=0)[0, 2] > start


@pytest.mark.parametrize(
    ("wrt", "message"),
    [
        (Variable(np.ones(2)), "is no weight of"),
        ("conv", "expected `wrt`"),
        (Input((3,)), "to be a part of"),
    ],
)
def test_errors(model, wrt, message):
    with pytest.raises(ValueError, match=message):
        gradients(model, X, wrt=wrt)


def test_a_loss_over_the_batch(model):
    with pytest.raises(ValueError, match="over the whole batch"):
        gradients(model, X, loss=ops.sum)
