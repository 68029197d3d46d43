# SPDX-License-Identifier: Apache-2.0
"""Layers of whole numbers: the same numbers as Keras."""

import numpy as np
import pytest

import pronghorn

keras = pytest.importorskip("keras", reason="the extra [parity] is not installed")

NUMBERS = np.random.default_rng(1).integers(0, 7, (12, 5))


@pytest.mark.parametrize("mode", ["multi_hot", "count", "one_hot"])
@pytest.mark.parametrize("shape", [(12, 5), (12, 1), (60,)])
def test_category_encoding(mode, shape):
    if len(shape) == 1 and mode != "one_hot":
        return  # Keras merges the samples of a batch then
    numbers = NUMBERS.ravel()[: np.prod(shape)].reshape(shape)
    layer, theirs = (
        api.layers.CategoryEncoding(6, output_mode=mode) for api in (pronghorn, keras)
    )
    np.testing.assert_array_equal(layer(numbers), np.asarray(theirs(numbers)))


def trained(api, weights, **arguments):
    inputs = api.Input((5,), dtype="int32")
    x = api.layers.Embedding(9, 4, **arguments)(inputs)  # two are never looked up
    outputs = api.layers.Dense(2)(api.layers.Flatten()(x))
    model = api.Model(inputs, outputs)
    model.set_weights(weights)
    model.compile(api.optimizers.Adam(0.01), "mse")
    target = np.random.default_rng(2).normal(size=(12, 2)).astype(np.float32)
    history = model.fit(
        NUMBERS, target, batch_size=4, epochs=3, shuffle=False, verbose=0
    )
    return history.history["loss"], model.get_weights()


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"embeddings_regularizer": "l2"},
        {"embeddings_regularizer": "l2", "embeddings_constraint": "non_neg"},
        {"embeddings_constraint": "unit_norm"},
    ],
)
def test_embedding(arguments):
    rng = np.random.default_rng(3)
    shapes = [(9, 4), (20, 2), (2,)]
    weights = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    (losses, ours), (expected, theirs) = (
        trained(api, weights, **arguments) for api in (pronghorn, keras)
    )
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)
