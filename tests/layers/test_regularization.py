# SPDX-License-Identifier: Apache-2.0
"""Layers that draw: nothing in inference, what they should in training, repeatably."""

import numpy as np
import pytest

from pronghorn import Sequential, layers
from pronghorn.testing import arrays, check_layer

# class, arguments, input, output, parameters
CASES = [
    ("GaussianNoise", {"stddev": 0.1}, (4, 5), (4, 5), 0),
    ("GaussianNoise", {"stddev": 0.0, "seed": 3}, (5,), (5,), 0),
    ("GaussianDropout", {"rate": 0.2}, (4, 5), (4, 5), 0),
    ("AlphaDropout", {"rate": 0.2}, (4, 5), (4, 5), 0),
    ("AlphaDropout", {"rate": 0.2, "noise_shape": (None, 1, 5)}, (4, 5), (4, 5), 0),
    ("Dropout", {"rate": 0.2, "noise_shape": (None, 1, 5)}, (4, 5), (4, 5), 0),
    ("SpatialDropout1D", {"rate": 0.2}, (4, 5), (4, 5), 0),
    ("SpatialDropout2D", {"rate": 0.2}, (4, 3, 5), (4, 3, 5), 0),
    ("SpatialDropout2D", {"rate": 0.2, "data_format": "channels_first"},
     (5, 4, 3), (5, 4, 3), 0),
    ("SpatialDropout3D", {"rate": 0.2}, (4, 3, 2, 5), (4, 3, 2, 5), 0),
    ("SpatialDropout3D", {"rate": 0.2, "data_format": "channels_first", "seed": 1},
     (5, 4, 3, 2), (5, 4, 3, 2), 0),
]  # fmt: skip


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


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{name}-{i}" for i, (name, *_) in enumerate(CASES)]
)
def test_in_training_only_and_by_seed(case):
    name, kwargs, shape, *_ = case
    kind = getattr(layers, name)
    x = arrays.normal(1, 33, *shape)
    first = kind(**{**kwargs, "seed": 7})
    np.testing.assert_array_equal(first(x), x)
    drawn = first(x, training=True)
    again = kind(**{**kwargs, "seed": 7})(x, training=True)
    np.testing.assert_array_equal(drawn, again)
    if kwargs.get("stddev") == 0:
        np.testing.assert_array_equal(drawn, x)
        return
    assert (drawn != x).any()
    assert (kind(**{**kwargs, "seed": 8})(x, training=True) != drawn).any()


@pytest.mark.parametrize("name", ["Dropout", "SpatialDropout1D", "AlphaDropout"])
def test_everything_or_nothing(name):
    x = np.ones((3, 4, 5), np.float32)
    layer = getattr(layers, name)
    np.testing.assert_array_equal(layer(0.0)(x, training=True), x)
    if name == "AlphaDropout":
        with pytest.raises(ValueError, match=r"AlphaDropout.*\[0, 1\)"):
            layer(1.0)(x, training=True)
    else:
        np.testing.assert_array_equal(layer(1.0)(x, training=True), 0 * x)


def test_maps_drop_as_a_whole():
    x = np.ones((40, 5, 6, 8), np.float32)
    last = layers.SpatialDropout2D(0.5, seed=2)(x, training=True)
    assert (last == last[:, :1, :1]).all()
    assert 0.35 < (last == 0).mean() < 0.65
    first = layers.SpatialDropout2D(0.5, data_format="channels_first", seed=2)
    y = first(x, training=True)
    assert (y == y[:, :, :1, :1]).all()
    assert (np.diff(y, axis=1) != 0).any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.GaussianNoise(1.5), "`stddev`.*1.5"),
        (lambda: layers.GaussianNoise(-0.5), "`stddev`.*-0.5"),
        (lambda: layers.GaussianDropout(1.5), "`rate`.*1.5"),
        (lambda: layers.GaussianDropout("a"), "`rate`.*'a'"),
        (lambda: layers.SpatialDropout2D(-1), "`rate`.*-1"),
        (lambda: layers.SpatialDropout2D(0.5, "first"), "`data_format`.*'first'"),
        (lambda: layers.Dropout(0.5, seed=-1), "`seed`.*-1"),
        (lambda: layers.Dropout(0.5, noise_shape="ab"), "`noise_shape`.*'ab'"),
        (lambda: layers.Dropout(0.5, noise_shape=3), "`noise_shape`.*3"),
        (lambda: layers.Dropout(0.5, noise_shape=(None, 0)), "`noise_shape`.*0"),
        (lambda: layers.Dropout(0.5, noise_shape=(None, 2))(np.ones((2, 3))),
         r"`noise_shape`.*\(1, 3\).*2|`noise_shape`.*\(2, 3\)"),
        (lambda: layers.Dropout(0.5, noise_shape=(1,))(np.ones((2, 3))), "noise_shape"),
        (lambda: layers.SpatialDropout1D(0.5)(np.ones((2, 3))), "3 axes"),
    ],
)  # fmt: skip
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_noise_of_every_step_is_new():
    """With weights that learn nothing, the losses of the steps differ by the noise."""
    x = np.ones((8, 6), np.float32)
    model = Sequential([layers.Input((6,)), layers.GaussianNoise(1.0, seed=1)])
    model.compile("sgd", "mse")
    losses = [model.train_on_batch(x, x) for _ in range(3)]
    assert len({float(np.ravel(loss)[0]) for loss in losses}) == len(losses)
