# SPDX-License-Identifier: Apache-2.0
"""Activations, losses and metrics called on arrays give Keras's numbers."""

import numpy as np
import pytest

import pronghorn

keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}
SCORES = RNG.normal(size=(7, 4, 5)).astype(np.float32) * 3
PROBABILITIES = np.exp(SCORES) / np.exp(SCORES).sum(axis=-1, keepdims=True)
LABELS = RNG.integers(0, 5, (7, 4))
ONE_HOT = np.eye(5, dtype=np.float32)[LABELS]
WEIGHTS = RNG.random((7, 4)).astype(np.float32)


@pytest.mark.parametrize("name", ["linear", "relu", "tanh", "sigmoid", "softmax"])
def test_activations(name):
    extremes = np.array([[-1e4, -90.0, -0.0, 0.0, 1e-8, 90.0, 1e4]], np.float32)
    for x in (SCORES, extremes, np.zeros((0, 3), np.float32)):
        theirs = np.asarray(keras.activations.get(name)(x))
        np.testing.assert_allclose(
            pronghorn.activations.get(name)(x), theirs, **TOLERANCE
        )


def test_activations_with_arguments():
    for arguments in ((0.1, 2.0, 0.5), (0.0, 1.0, 0.0), (0.2, None, 1.0)):
        np.testing.assert_allclose(
            pronghorn.activations.relu(SCORES, *arguments),
            np.asarray(keras.activations.relu(SCORES, *arguments)),
            **TOLERANCE,
        )
    for axis in (0, 1, -1):
        np.testing.assert_allclose(
            pronghorn.activations.softmax(SCORES, axis),
            np.asarray(keras.activations.softmax(SCORES, axis)),
            **TOLERANCE,
        )


CASES = [
    ("SparseCategoricalCrossentropy", {}, LABELS, PROBABILITIES),
    ("SparseCategoricalCrossentropy", {}, LABELS[..., None], PROBABILITIES * 3),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, LABELS, SCORES),
    ("CategoricalCrossentropy", {}, ONE_HOT, PROBABILITIES * 2),
    ("CategoricalCrossentropy", {"from_logits": True}, ONE_HOT, SCORES * 30),
    ("CategoricalCrossentropy", {"label_smoothing": 0.3}, ONE_HOT, PROBABILITIES),
    ("BinaryCrossentropy", {}, ONE_HOT, PROBABILITIES),
    ("BinaryCrossentropy", {"label_smoothing": 0.3}, ONE_HOT, np.round(PROBABILITIES)),
    ("BinaryCrossentropy", {"from_logits": True}, ONE_HOT, SCORES * 30),
    ("MeanSquaredError", {}, ONE_HOT, SCORES),
    ("MeanAbsoluteError", {}, ONE_HOT, SCORES),
    ("MeanSquaredError", {}, SCORES[:, 0, :1], SCORES[:, 0, 1]),
    ("MeanSquaredError", {}, SCORES[:, 0, 0], SCORES[:, 0, 1]),
]
REDUCTIONS = ["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", None]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("name", "arguments", "truth", "prediction"), CASES)
def test_losses(name, arguments, truth, prediction, reduction, weighted):
    if weighted and prediction.ndim == 1:
        return  # their value is a single number
    weights = WEIGHTS if weighted else None
    results = [
        getattr(api.losses, name)(reduction=reduction, **arguments)(
            truth, prediction, sample_weight=weights
        )
        for api in (keras, pronghorn)
    ]
    np.testing.assert_allclose(results[1], np.asarray(results[0]), **TOLERANCE)


@pytest.mark.parametrize(
    ("name", "truth", "prediction"),
    [
        ("SparseCategoricalAccuracy", LABELS, PROBABILITIES),
        ("SparseCategoricalAccuracy", LABELS[..., None], SCORES),
        ("CategoricalAccuracy", ONE_HOT, SCORES),
        ("BinaryAccuracy", ONE_HOT, PROBABILITIES),
        ("MeanSquaredError", ONE_HOT, SCORES),
        ("CategoricalCrossentropy", ONE_HOT, PROBABILITIES),
        ("SparseCategoricalCrossentropy", LABELS, PROBABILITIES),
        ("BinaryCrossentropy", ONE_HOT, PROBABILITIES),
    ],
)
def test_metrics(name, truth, prediction):
    theirs, ours = (getattr(api.metrics, name)() for api in (keras, pronghorn))
    assert ours.name == theirs.name
    for part, weights in ((slice(0, 3), None), (slice(3, 7), WEIGHTS[3:])):
        for metric in (theirs, ours):
            metric.update_state(truth[part], prediction[part], sample_weight=weights)
        np.testing.assert_allclose(ours.result(), float(theirs.result()), **TOLERANCE)
    ours.reset_state()
    assert ours.result() == 0


def test_functions():
    for name, truth, prediction in (
        ("mean_squared_error", ONE_HOT, SCORES),
        ("mean_absolute_error", ONE_HOT, SCORES),
        ("binary_crossentropy", ONE_HOT, PROBABILITIES),
        ("categorical_crossentropy", ONE_HOT, PROBABILITIES),
        ("sparse_categorical_crossentropy", LABELS, PROBABILITIES),
    ):
        theirs = np.asarray(getattr(keras.losses, name)(truth, prediction))
        ours = getattr(pronghorn.losses, name)(truth, prediction)
        np.testing.assert_allclose(ours, theirs, **TOLERANCE)
    for name, truth, prediction in (
        ("sparse_categorical_accuracy", LABELS, PROBABILITIES),
        ("categorical_accuracy", ONE_HOT, PROBABILITIES),
        ("binary_accuracy", ONE_HOT, PROBABILITIES),
    ):
        theirs = np.asarray(getattr(keras.metrics, name)(truth, prediction))
        ours = getattr(pronghorn.metrics, name)(truth, prediction)
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["glorot", "he", "lecun"])
def test_initializers_have_keras_scale(name):
    shape = (3, 3, 50, 70)
    for kind in ("uniform", "normal"):
        theirs = np.asarray(keras.initializers.get(f"{name}_{kind}")(shape))
        ours = pronghorn.initializers.get(f"{name}_{kind}")(shape)
        assert abs(ours.std() / theirs.std() - 1) < 0.02
        assert abs(abs(ours).max() / abs(theirs).max() - 1) < 0.02
