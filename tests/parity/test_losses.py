# SPDX-License-Identifier: Apache-2.0
"""Losses of sequences and embeddings; weights of samples, rows, classes, outputs."""

import numpy as np
import pytest

import pronghorn

keras = pytest.importorskip("keras")

TOLERANCE = {"rtol": 2e-4, "atol": 2e-5}
RNG = np.random.default_rng(11)
FRAMES = RNG.normal(size=(21, 12, 5)).astype(np.float32)
SPELT = RNG.integers(1, 5, (21, 4)) * (np.arange(4) < RNG.integers(0, 5, (21, 1)))
X = RNG.normal(size=(21, 6)).astype(np.float32)
GROUPS = np.r_[RNG.integers(-2, 3, 20), 99]  # the last has no partner
IMAGES = RNG.normal(size=(21, 5, 4, 2)).astype(np.float32)
PIXELS = RNG.integers(0, 3, (21, 5, 4))
BY_SAMPLE = RNG.random(21).astype(np.float32)
BY_PIXEL = RNG.random((21, 5, 4)).astype(np.float32)


def both(build):
    """The model made by each library, with the same weights."""
    models = build(keras), build(pronghorn)
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=w.shape) * 0.3 for w in models[0].get_weights()]
    for model in models:
        model.set_weights(weights)
    return models


def same_training(build, compilation, x, y, **arguments):
    """Two epochs and an evaluation with the same numbers and weights."""
    found = []
    for api, model in zip((keras, pronghorn), both(build), strict=True):
        model.compile(optimizer=api.optimizers.SGD(0.05), **compilation(api))
        history = model.fit(
            x, y, batch_size=8, epochs=2, shuffle=False, verbose=0, **arguments
        ).history
        weights = arguments.get("sample_weight")
        logs = model.evaluate(
            x, y, batch_size=8, sample_weight=weights, verbose=0, return_dict=True
        )
        found.append((history, logs, model.get_weights()))
    theirs, ours = found
    for one, other in zip(ours[:2], theirs[:2], strict=True):
        assert list(one) == list(other)
        for name, numbers in other.items():
            np.testing.assert_allclose(one[name], numbers, err_msg=name, **TOLERANCE)
    for one, other in zip(ours[2], theirs[2], strict=True):
        np.testing.assert_allclose(one, other, **TOLERANCE)


def frames(api):
    layers = [api.layers.Input((12, 5)), api.layers.Conv1D(5, 3, padding="same")]
    return api.Sequential(layers)


def embeddings(api):
    dense = api.layers.Dense(4)
    return api.Sequential([api.Input((6,)), dense, api.layers.UnitNormalization()])


def pixels(api):
    convolution = api.layers.Conv2D(3, 3, padding="same", activation="softmax")
    return api.Sequential([api.layers.Input((5, 4, 2)), convolution])


REDUCTIONS = ["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", None]


@pytest.mark.parametrize("weights", [None, BY_SAMPLE])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_ctc(reduction, weights):
    results = [
        api.losses.CTC(reduction=reduction)(SPELT, FRAMES, sample_weight=weights)
        for api in (keras, pronghorn)
    ]
    np.testing.assert_allclose(results[1], np.asarray(results[0]), **TOLERANCE)


def test_ctc_of_labels_that_are_too_long():
    labels = np.array([[1, 1, 1, 2], [1, 2, 3, 4]])
    logits = FRAMES[:2, :3]
    theirs = np.asarray(keras.losses.ctc(labels, logits))
    np.testing.assert_allclose(pronghorn.losses.ctc(labels, logits), theirs, rtol=1e-4)


@pytest.mark.parametrize("weights", [None, BY_SAMPLE])
@pytest.mark.parametrize("loss", ["ctc", "CTC"])
def test_ctc_trains(loss, weights):
    same_training(
        frames, lambda api: {"loss": loss}, FRAMES, SPELT, sample_weight=weights
    )


@pytest.mark.parametrize("weights", [None, BY_SAMPLE])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    "arguments", [{}, {"gamma": 10, "margin": 0.25, "remove_diagonal": False}]
)
def test_circle(reduction, arguments, weights):
    y_pred = X / np.linalg.norm(X, axis=1, keepdims=True)
    results = [
        api.losses.Circle(reduction=reduction, **arguments)(
            GROUPS, y_pred, sample_weight=weights
        )
        for api in (keras, pronghorn)
    ]
    np.testing.assert_allclose(results[1], np.asarray(results[0]), **TOLERANCE)
    theirs, ours = (
        api.losses.circle(GROUPS, y_pred, **arguments) for api in (keras, pronghorn)
    )
    np.testing.assert_allclose(ours, np.asarray(theirs), **TOLERANCE)


@pytest.mark.parametrize("weights", [None, BY_SAMPLE])
@pytest.mark.parametrize("reduction", ["sum", "sum_over_batch_size"])
def test_circle_trains(reduction, weights):
    def compilation(api):
        return {"loss": api.losses.Circle(4.0, reduction=reduction)}

    # Keras's gradient is NaN where an embedding has no partner in its batch.
    groups = np.r_[np.arange(16) % 3, np.arange(5) % 2]
    same_training(embeddings, compilation, X, groups, sample_weight=weights)


PIXEL_LOSSES = {
    "sparse": (lambda api: "sparse_categorical_crossentropy", PIXELS),
    "ignoring": (
        lambda api: api.losses.SparseCategoricalCrossentropy(ignore_class=2),
        PIXELS,
    ),
    "one-hot": (lambda api: "categorical_crossentropy", np.eye(3)[PIXELS]),
    "focal": (
        lambda api: api.losses.CategoricalFocalCrossentropy([0.2, 0.5, 0.9]),
        np.eye(3)[PIXELS],
    ),
    "mse": (lambda api: "mse", np.eye(3)[PIXELS]),
    "hinge": (lambda api: "hinge", np.eye(3)[PIXELS]),
    "sum": (lambda api: api.losses.MeanSquaredError("sum"), np.eye(3)[PIXELS]),
    "by weight": (
        lambda api: api.losses.MeanSquaredError("mean_with_sample_weight"),
        np.eye(3)[PIXELS],
    ),
}


@pytest.mark.parametrize("name", PIXEL_LOSSES)
def test_weights_of_pixels(name):
    loss, y = PIXEL_LOSSES[name]
    same_training(
        pixels,
        lambda api: {
            "loss": loss(api),
            "metrics": ["accuracy"],
            "weighted_metrics": ["accuracy", "mae" if y.ndim == 4 else "acc"],
        },
        IMAGES,
        y,
        sample_weight=BY_PIXEL,
    )


def test_weights_of_pixels_and_counted_metrics():
    y = np.eye(3)[PIXELS].astype(np.float32)
    same_training(
        pixels,
        lambda api: {
            "loss": "mse",
            "weighted_metrics": [api.metrics.OneHotMeanIoU(3, "iou", dtype="float32")],
        },
        IMAGES,
        y,
        sample_weight=BY_PIXEL,
    )


def two_heads(api):
    x = api.Input((6,), name="x")
    hidden = api.layers.Dense(5, activation="tanh")(x)
    a = api.layers.Dense(1, name="a")(hidden)
    b = api.layers.Dense(3, activation="softmax", name="b")(hidden)
    return api.Model(x, [a, b])


TRUTHS = [RNG.normal(size=(21, 1)).astype(np.float32), RNG.integers(0, 3, 21)]
LOSSES = ["mse", "sparse_categorical_crossentropy"]
NAMES = ["a", "b"]


def by_name(values):
    return dict(zip(NAMES, values, strict=True))


@pytest.mark.parametrize("weights", [None, [BY_SAMPLE, BY_SAMPLE[::-1].copy()]])
@pytest.mark.parametrize("losses", [LOSSES, by_name(LOSSES)])
@pytest.mark.parametrize("loss_weights", [None, [0.3, 2.0], by_name([0.3, 2.0])])
def test_weights_of_outputs(losses, loss_weights, weights):
    if isinstance(losses, list) and isinstance(loss_weights, dict):
        return  # Keras takes the dict's values in their order
    # Keras takes weights by name only where the model's outputs are a dict.
    by_names = isinstance(losses, dict) and weights is None
    truths = by_name(TRUTHS) if by_names else TRUTHS
    same_training(
        two_heads,
        lambda api: {"loss": losses, "loss_weights": loss_weights},
        X,
        truths,
        sample_weight=weights,
    )


@pytest.mark.parametrize("y", [TRUTHS[1], TRUTHS[1][:, None], np.eye(3)[TRUTHS[1]]])
@pytest.mark.parametrize("class_weight", [{0: 0.2, 1: 3.0, 2: 0.0}, {1: 5.0}])
def test_class_weight(y, class_weight):
    def classifier(api):
        dense = api.layers.Dense(3, activation="softmax")
        return api.Sequential([api.Input((6,)), dense])

    loss = "categorical_crossentropy"
    if y.shape[-1] != 3:
        loss = f"sparse_{loss}"
    same_training(
        classifier,
        lambda api: {"loss": loss, "weighted_metrics": ["acc"]},
        X,
        y,
        class_weight=class_weight,
    )


def test_loss_weight_of_one_output():
    def regression(api):
        return api.Sequential([api.Input((6,)), api.layers.Dense(1)])

    for loss_weights in (0.25, [0.25]):
        same_training(
            regression,
            lambda api, factor=loss_weights: {"loss": "mse", "loss_weights": factor},
            X,
            TRUTHS[0],
        )


@pytest.mark.parametrize("alpha", [[0.2, 0.5, 0.9], (1, 2, 3), np.array([0.2, 1, 2])])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_focal_with_a_factor_for_each_class(alpha, reduction):
    y_true, y_pred = np.eye(3)[PIXELS], np.abs(RNG.normal(size=(21, 5, 4, 3))) + 0.01
    results = [
        api.losses.CategoricalFocalCrossentropy(alpha, reduction=reduction)(
            y_true, y_pred, sample_weight=BY_PIXEL
        )
        for api in (keras, pronghorn)
    ]
    np.testing.assert_allclose(results[1], np.asarray(results[0]), **TOLERANCE)


@pytest.mark.parametrize("x", [X, X[:8]])
def test_add_loss(x):
    def build(api):
        class Adds(api.layers.Layer):
            def build(self, input_shape):
                self.kernel = self.add_weight(shape=(input_shape[-1], 1), name="k")

            def call(self, x):
                y = api.ops.matmul(x, self.kernel)
                self.add_loss(0.1 * api.ops.mean(api.ops.square(y)))
                self.add_loss([api.ops.sum(api.ops.abs(self.kernel)), y / 50])
                return y

        inputs = api.Input((6,))
        hidden = api.layers.Dense(4, activation="tanh")(inputs)
        layer = Adds()
        return api.Model(inputs, layer(api.layers.Dense(4)(hidden) + hidden))

    for loss in ("mse", lambda t, p: (t - p) ** 2):
        same_training(build, lambda api, loss=loss: {"loss": loss}, x, x[:, :1])


def test_loss_over_the_whole_batch():
    def regression(api):
        return api.Sequential([api.Input((6,)), api.layers.Dense(1)])

    same_training(
        regression,
        lambda api: {
            "loss": lambda t, p: api.ops.mean(api.ops.square(t - p)) + 0.5,
        },
        X[:16],
        TRUTHS[0][:16],
    )
