# SPDX-License-Identifier: Apache-2.0
"""`.weights.h5` files go both ways between pronghorn and Keras 3."""

import warnings

import numpy as np
import pytest

import pronghorn

keras = pytest.importorskip("keras")
h5py = pytest.importorskip("h5py")

# Keras's own variables lag behind NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ impl:DeprecationWarning")


def sequential(api):
    layers = api.layers
    return api.Sequential(
        [
            layers.Input((9, 8, 2)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.AveragePooling2D(2),
            layers.Conv2D(6, (2, 3), use_bias=False),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dropout(0.25),
            layers.Dense(7, activation="tanh"),
            layers.Dense(3),
        ]
    )


def branched(api):
    layers = api.layers
    image = api.Input((9, 8, 2))
    left = layers.Flatten()(layers.Conv2D(2, 3)(image))
    right = layers.Flatten()(layers.Conv2D(2, 3)(image))
    shared = layers.Dense(3)
    return api.Model(image, [shared(left), shared(right)])


def nested(api):
    layers = api.layers
    inner = api.Sequential([layers.Input((9, 8, 2)), layers.Conv2D(2, 3)])
    return api.Sequential(
        [layers.Input((9, 8, 2)), inner, layers.Flatten(), layers.Dense(3)]
    )


def frozen(api):
    model = sequential(api)
    model.layers[0].trainable = False
    return model


def optimizers(api):
    return {
        "sgd": api.optimizers.SGD(0.02),
        "momentum": api.optimizers.SGD(0.02, momentum=0.9),
        "adam": api.optimizers.Adam(0.003),
    }


def images(n=12):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 9, 8, 2)).astype(np.float32)
    return x, rng.normal(size=(n, 3)).astype(np.float32)


def train(model, optimizer):
    x, y = images()
    model.compile(optimizer, "mean_squared_error")
    model.fit(x, y, batch_size=4, epochs=2, verbose=0)


def contents(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update(
                {
                    name: (item.shape, item.dtype)
                    if isinstance(item, h5py.Dataset)
                    else 0
                }
            )
        )
    return found


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "net.weights.h5")


def flat(outputs):
    return [
        np.asarray(one) for one in (outputs if isinstance(outputs, list) else [outputs])
    ]


@pytest.mark.parametrize("make", [sequential, branched, nested, frozen])
@pytest.mark.parametrize("direction", ["to keras", "from keras"])
def test_weights(make, direction, path):
    ours, theirs = make(pronghorn), make(keras)
    source, target = (ours, theirs) if direction == "to keras" else (theirs, ours)
    source.save_weights(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        target.load_weights(path)
    for got, expected in zip(target.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)
    x, _ = images()
    predictions = flat(ours.predict(x, verbose=0)), flat(theirs.predict(x, verbose=0))
    for got, expected in zip(*predictions, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("make", [sequential, nested, frozen])
@pytest.mark.parametrize("kind", ["sgd", "momentum", "adam"])
def test_optimizers(make, kind, path, tmp_path):
    """The same groups; and training goes on the same after a change of library."""
    ours, theirs = make(pronghorn), make(keras)
    theirs_path = str(tmp_path / "keras.weights.h5")
    train(ours, optimizers(pronghorn)[kind])
    train(theirs, optimizers(keras)[kind])
    ours.save_weights(path)
    theirs.save_weights(theirs_path)
    assert contents(path) == contents(theirs_path)

    theirs.load_weights(path)
    state = [np.asarray(v) for v in theirs.optimizer.variables]
    assert state[0] == ours.optimizer.iterations == 6
    assert state[1] == np.float32(ours.optimizer.learning_rate)
    slots = [s for w in ours.trainable_weights for s in ours.optimizer.slot_arrays(w)]
    for got, expected in zip(state[2:], slots, strict=True):
        np.testing.assert_array_equal(got, expected)

    theirs.save_weights(theirs_path)
    train(ours, optimizers(pronghorn)[kind])
    ours.load_weights(theirs_path)
    for got, expected in zip(slots, state[2:], strict=True):
        assert got.shape == expected.shape
    x, y = images()
    for model in (ours, theirs):
        if not any(type(layer).__name__ == "Dropout" for layer in model.layers):
            model.train_on_batch(x, y)
    for got, expected in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def test_both_refuse_another_architecture(path):
    sequential(keras).save_weights(path)
    model = nested(pronghorn)
    before = model.get_weights()
    with pytest.raises(ValueError, match="does not fit"):
        model.load_weights(path)
    for got, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(got, expected)
