# SPDX-License-Identifier: Apache-2.0
"""fold_batch_norm: the same answers from a model without what can be folded."""

import numpy as np
import pytest

from pronghorn import Input, Model, Sequential, layers
from pronghorn.testing import arrays

SHAPE = (8, 7, 3)
X = arrays.normal(1, 21, *SHAPE)


def randomized(model):
    """Variances far enough from 0 that norms do not multiply rounding errors."""
    rng = np.random.default_rng(5)
    for weight in model.weights:
        drawn = rng.normal(size=weight.shape)
        weight.assign(0.5 + np.abs(drawn) if "variance" in weight.name else drawn)
    return model


def assert_same_answers(model, folded):
    got, expected = (m.predict(X, verbose=0) for m in (folded, model))
    if not isinstance(got, list):
        got, expected = [got], [expected]
    for a, b in zip(got, expected, strict=True):
        scale = np.abs(b).max()
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * scale)


def unfolded(model, x):
    """What the model answers layer by layer, where nothing can be folded."""
    for layer in model.layers:
        x = layer(x)
    return x


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def stack(**norm):
    return Sequential(
        [
            Input(SHAPE),
            layers.Conv2D(6, 3, use_bias=False),
            layers.BatchNormalization(**norm),
            layers.ReLU(),
            layers.Conv2D(4, 3, groups=2, padding="same", name="second"),
            layers.BatchNormalization(**norm),
            layers.BatchNormalization(**norm),
            layers.Flatten(),
            layers.Dense(5, name="head"),
            layers.BatchNormalization(**norm),
            layers.Activation("tanh"),
            layers.Dense(2),
        ]
    )


@pytest.mark.parametrize("norm", [{}, {"scale": False}, {"center": False}])
def test_sequential(norm):
    model = randomized(stack(**norm))
    folded = model.fold_batch_norm()
    assert isinstance(folded, Sequential)
    assert kinds(folded) == [
        "Conv2D", "ReLU", "Conv2D", "BatchNormalization", "Flatten", "Dense",
        "Activation", "Dense",
    ]  # fmt: skip
    assert folded.get_layer("second").name == "second"
    assert folded.name == model.name
    assert_same_answers(model, folded)
    assert kinds(model) == kinds(stack())  # the model itself stays


@pytest.mark.parametrize("norm", [{}, {"epsilon": 0.1, "center": False}])
def test_predict_folds_and_answers_the_same(norm):
    model = randomized(stack(**norm))
    expected = unfolded(model, X)
    scale = np.abs(expected).max()
    got = model.predict(X, batch_size=20, verbose=0)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5 * scale)
    for weight in model.weights:  # plans that exist must see new weights
        weight.assign(weight.value * 0.7)
    got = model.predict(X, batch_size=20, verbose=0)
    expected = unfolded(model, X)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5 * scale)


def test_evaluate_sees_the_moving_statistics_of_training():
    model = randomized(stack())
    model.compile("sgd", "mse")
    y = arrays.normal(3, len(X), 2)
    for _ in range(3):
        model.fit(X, y, batch_size=7, verbose=0)
        expected = np.mean((unfolded(model, X) - y) ** 2)
        assert model.evaluate(X, y, verbose=0) == pytest.approx(expected, rel=1e-3)


def test_branches_shared_layers_and_other_readers():
    inputs = Input(SHAPE)
    conv = layers.Conv2D(3, 1, name="read_twice")(inputs)
    kept = layers.BatchNormalization(name="kept")(conv)
    shared = layers.Conv2D(3, 3, padding="same", name="shared")
    first, second = shared(kept), shared(conv)
    of_shared = layers.BatchNormalization(name="of_shared")(first)
    active = layers.Conv2D(4, 1, activation="relu", name="active")(second)
    of_active = layers.BatchNormalization(name="of_active")(active)
    plain = layers.BatchNormalization(name="gone")(
        layers.Conv2D(4, 1, name="plain")(of_active)
    )
    output = layers.Conv2D(2, 1, name="output")(of_shared)
    of_output = layers.BatchNormalization(name="of_output")(output)
    model = randomized(Model(inputs, [plain, output, of_output]))
    folded = model.fold_batch_norm()
    names = {layer.name for layer in model.layers}
    assert names - {layer.name for layer in folded.layers} == {"gone"}
    assert_same_answers(model, folded)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.DepthwiseConv2D(3, depth_multiplier=2),
        lambda: layers.Conv2DTranspose(3, 2),  # as many channels as come in
        lambda: layers.Conv2D(4, 3, data_format="channels_first"),
    ],
)
def test_other_convolutions(layer):
    made = layer()
    axis = 1 if made.data_format == "channels_first" else -1
    model = Sequential([Input(SHAPE), made, layers.BatchNormalization(axis)])
    folded = randomized(model).fold_batch_norm()
    assert kinds(folded) == kinds(model)[:1]
    assert_same_answers(model, folded)
    expected = unfolded(model, X)
    np.testing.assert_allclose(
        model.predict(X, verbose=0), expected, rtol=1e-4,
        atol=1e-5 * np.abs(expected).max(),
    )  # fmt: skip


def test_axis_that_is_not_the_channels():
    model = Sequential(
        [Input(SHAPE), layers.Conv2D(4, 1), layers.BatchNormalization(axis=1)]
    )
    folded = randomized(model).fold_batch_norm()
    assert "BatchNormalization" in kinds(folded)
    assert_same_answers(model, folded)


def test_nested_models():
    inner = Sequential(
        [Input(SHAPE), layers.Conv2D(4, 3), layers.BatchNormalization()], name="inner"
    )
    inputs = Input(SHAPE)
    outputs = layers.Dense(2)(layers.Flatten()(inner(inputs)))
    model = randomized(Model(inputs, outputs))
    folded = model.fold_batch_norm()
    assert kinds(folded.get_layer("inner")) == ["Conv2D"]
    assert_same_answers(model, folded)


def test_weights_are_copies():
    model = randomized(stack())
    folded = model.fold_batch_norm()
    before = folded.predict(X, verbose=0)
    for weight in model.weights:
        weight.assign(weight.value * 2)
    np.testing.assert_array_equal(folded.predict(X, verbose=0), before)


def test_a_model_that_is_not_built():
    with pytest.raises(ValueError, match="built model"):
        Sequential([layers.Dense(2)]).fold_batch_norm()
