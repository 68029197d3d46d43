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


ACTIVATIONS = sorted(
    name
    for name in dir(keras.activations)
    if not name.startswith("_")
    and name not in ("deserialize", "get", "serialize", "glu", "threshold")
    and name != "sparsemax"  # Keras's does not sum to 1: see below
)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    extremes = np.array([[-1e4, -90.0, -0.0, 0.0, 1e-8, 90.0, 1e4]], np.float32)
    for x in (SCORES, extremes, np.zeros((0, 3), np.float32)):
        theirs = np.asarray(keras.activations.get(name)(x.astype(np.float64)))
        with np.errstate(over="ignore"):
            theirs = theirs.astype(np.float32)
        for ours in (pronghorn.activations, pronghorn.activations.get(name)):
            function = getattr(ours, name) if ours is pronghorn.activations else ours
            np.testing.assert_allclose(function(x), theirs, **TOLERANCE)


ARGUMENTS = [
    ("celu", {"alpha": 0.5}),
    ("elu", {"alpha": 2.0}),
    ("gelu", {"approximate": True}),
    ("glu", {"axis": 1}),
    ("hard_shrink", {"threshold": 1.0}),
    ("leaky_relu", {"negative_slope": 0.01}),
    ("log_softmax", {"axis": 0}),
    ("log_softmax", {"axis": 1}),
    ("soft_shrink", {"threshold": 1.0}),
    ("squareplus", {"b": 0.5}),
    ("threshold", {"threshold": 0.5, "default_value": -3.0}),
]


@pytest.mark.parametrize(("name", "arguments"), ARGUMENTS)
def test_arguments_of_activations(name, arguments):
    theirs = getattr(keras.activations, name)(SCORES.astype(np.float64), **arguments)
    ours = getattr(pronghorn.activations, name)(SCORES, **arguments)
    np.testing.assert_allclose(ours, np.asarray(theirs), **TOLERANCE)


def test_sparsemax_is_keras_where_keras_sums_to_one():
    """Keras 3.15 adds cumulative sums up where the last of them is meant."""
    scores = np.concatenate([SCORES, SCORES * 10])
    theirs = np.asarray(keras.activations.sparsemax(scores.astype(np.float64)))
    ours = pronghorn.activations.sparsemax(scores)
    np.testing.assert_allclose(ours.sum(axis=-1), 1, rtol=1e-5)
    right = np.abs(theirs.sum(axis=-1) - 1) < 1e-6
    assert 0 < right.sum() < right.size
    np.testing.assert_allclose(ours[right], theirs[right], **TOLERANCE)


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
SIGNS = 2 * ONE_HOT - 1
MORE_CASES = [
    ("BinaryFocalCrossentropy", {}, ONE_HOT, PROBABILITIES),
    (
        "BinaryFocalCrossentropy",
        {"apply_class_balancing": True, "alpha": 0.3, "gamma": 1.5},
        ONE_HOT,
        PROBABILITIES,
    ),
    (
        "BinaryFocalCrossentropy",
        {"from_logits": True, "label_smoothing": 0.2},
        ONE_HOT,
        SCORES,
    ),
    ("CategoricalFocalCrossentropy", {}, ONE_HOT, PROBABILITIES * 2),
    (
        "CategoricalFocalCrossentropy",
        {"from_logits": True, "gamma": 3.0, "alpha": 0.5, "label_smoothing": 0.1},
        ONE_HOT,
        SCORES,
    ),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.3}, LABELS, PROBABILITIES),
    ("CategoricalHinge", {}, ONE_HOT, SCORES),
    ("CosineSimilarity", {}, ONE_HOT + 0.1, SCORES),
    ("CosineSimilarity", {"axis": 1}, ONE_HOT + 0.1, SCORES),
    ("CosineSimilarity", {}, 0 * ONE_HOT, SCORES),
    ("Hinge", {}, ONE_HOT, SCORES),
    ("Hinge", {}, SIGNS, SCORES),
    ("SquaredHinge", {}, ONE_HOT, SCORES),
    ("SquaredHinge", {}, SIGNS * 0.3, SCORES),
    ("Huber", {}, ONE_HOT, SCORES),
    ("Huber", {"delta": 0.4}, ONE_HOT, SCORES),
    ("KLDivergence", {}, PROBABILITIES[::-1], PROBABILITIES),
    ("KLDivergence", {}, ONE_HOT, PROBABILITIES * 3),
    ("LogCosh", {}, ONE_HOT * 200, SCORES),
    ("MeanAbsolutePercentageError", {}, SCORES[::-1], SCORES),
    ("MeanSquaredLogarithmicError", {}, PROBABILITIES * 5, SCORES),
    ("Poisson", {}, ONE_HOT * 3, PROBABILITIES * 4),
    ("SparseCategoricalCrossentropy", {"ignore_class": 2}, LABELS, PROBABILITIES),
    (
        "SparseCategoricalCrossentropy",
        {"ignore_class": -1, "from_logits": True},
        LABELS - (LABELS == 3) * 4,
        SCORES,
    ),
    (
        "CategoricalCrossentropy",
        {"axis": 1, "from_logits": True},
        np.moveaxis(ONE_HOT, -1, 1),
        np.moveaxis(SCORES, -1, 1),
    ),
]
OVERLAPS = [
    (name, {"axis": axis, **arguments})
    for name, arguments in (("Dice", {}), ("Tversky", {"alpha": 0.3, "beta": 0.9}))
    for axis in (None, -1, (1, 2), (0, 1), 0)
]
REDUCTIONS = ["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", None]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("name", "arguments", "truth", "prediction"), CASES + MORE_CASES
)
def test_losses(name, arguments, truth, prediction, reduction, weighted):
    if weighted and prediction.ndim == 1:
        return  # their value is a single number
    weights = None
    if weighted:
        loss = getattr(pronghorn.losses, name)(**arguments)
        weights = np.resize(WEIGHTS, loss.call(truth, prediction).shape)
    results = [
        getattr(api.losses, name)(reduction=reduction, **arguments)(
            truth, prediction, sample_weight=weights
        )
        for api in (keras, pronghorn)
    ]
    np.testing.assert_allclose(results[1], np.asarray(results[0]), **TOLERANCE)


def test_labels_with_the_classes_on_another_axis():  # Keras on JAX refuses them
    loss = pronghorn.losses.SparseCategoricalCrossentropy
    moved = loss(axis=1)(LABELS, np.moveaxis(PROBABILITIES, -1, 1))
    assert moved == loss()(LABELS, PROBABILITIES)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", None])
@pytest.mark.parametrize(("name", "arguments"), OVERLAPS)
def test_overlaps(name, arguments, reduction):
    results = [
        getattr(api.losses, name)(reduction=reduction, **arguments)(
            ONE_HOT, PROBABILITIES
        )
        for api in (keras, pronghorn)
    ]
    np.testing.assert_allclose(results[1], np.asarray(results[0]), **TOLERANCE)


def test_names_and_defaults():
    for name in pronghorn.losses.__all__:
        ours, theirs = (getattr(api.losses, name, None) for api in (pronghorn, keras))
        if theirs is None or not isinstance(ours, type) or name == "Loss":
            continue
        expected = {k: v for k, v in theirs().get_config().items() if k != "fn"}
        assert expected.items() <= ours().get_config().items()
        assert pronghorn.losses.get(ours().name.removesuffix("_loss"))
    aliases = "bce BCE kld KLD mae MAE mape MAPE mse MSE msle MSLE"
    for alias in aliases.split():
        ours, theirs = (api.losses.get(alias) for api in (pronghorn, keras))
        assert ours.name == theirs.__name__


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
        ("TopKCategoricalAccuracy", ONE_HOT, SCORES),
        ("SparseTopKCategoricalAccuracy", LABELS, SCORES),
        ("RootMeanSquaredError", ONE_HOT, SCORES),
        ("MeanAbsolutePercentageError", SCORES[::-1], SCORES),
        ("MeanSquaredLogarithmicError", ONE_HOT, PROBABILITIES),
        ("LogCoshError", ONE_HOT, SCORES),
        ("CosineSimilarity", ONE_HOT, SCORES),
        ("Hinge", ONE_HOT, SCORES),
        ("SquaredHinge", SIGNS, SCORES),
        ("CategoricalHinge", ONE_HOT, SCORES),
        ("KLDivergence", PROBABILITIES[::-1], PROBABILITIES),
        ("Poisson", ONE_HOT, PROBABILITIES),
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


ROWS = PROBABILITIES.reshape(-1, 5)
TRUTHS = ONE_HOT.reshape(-1, 5)
COUNTING = [
    ("Precision", {}, TRUTHS, ROWS),
    ("Precision", {"thresholds": [0.1, 0.4]}, TRUTHS, ROWS),
    ("Recall", {"thresholds": 0.2}, TRUTHS, ROWS),
    ("AUC", {}, TRUTHS, ROWS),
    ("AUC", {"curve": "PR", "num_thresholds": 50}, TRUTHS, ROWS),
    ("F1Score", {}, TRUTHS, ROWS),
    ("F1Score", {"average": "micro", "threshold": 0.3}, TRUTHS, ROWS),
    ("F1Score", {"average": "macro"}, TRUTHS, ROWS),
    ("F1Score", {"average": "weighted"}, TRUTHS, ROWS),
    ("BinaryIoU", {"threshold": 0.3}, TRUTHS, ROWS),
    ("OneHotIoU", {"num_classes": 5, "target_class_ids": [1, 3]}, TRUTHS, ROWS),
    ("OneHotMeanIoU", {"num_classes": 5}, TRUTHS, ROWS),
    (
        "MeanIoU",
        {"num_classes": 5, "sparse_y_pred": False},
        LABELS.reshape(-1),
        ROWS,
    ),
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "arguments", "truth", "prediction"), COUNTING)
def test_counting_metrics(name, arguments, truth, prediction, weighted):
    # float32, as Keras's overlaps cut weights to whole numbers otherwise.
    theirs, ours = (
        getattr(api.metrics, name)(**arguments, dtype="float32")
        for api in (keras, pronghorn)
    )
    for part in (slice(0, 11), slice(11, 28)):
        weights = WEIGHTS.reshape(-1)[part]
        if name == "BinaryIoU":  # Keras wants one for each element
            given = [np.repeat(weights[:, None], 5, axis=1), weights]
        else:
            given = [weights, weights]
        for metric, one in zip((theirs, ours), given, strict=True):
            metric.update_state(
                truth[part], prediction[part], sample_weight=one if weighted else None
            )
    np.testing.assert_allclose(ours.result(), np.asarray(theirs.result()), rtol=1e-5)
    assert ours.name.split("_")[0] == theirs.name.split("_")[0]
    ours.reset_state()
    assert not np.any(ours.result())


def test_functions():
    for name, truth, prediction in (
        ("mean_squared_error", ONE_HOT, SCORES),
        ("mean_absolute_error", ONE_HOT, SCORES),
        ("binary_crossentropy", ONE_HOT, PROBABILITIES),
        ("categorical_crossentropy", ONE_HOT, PROBABILITIES),
        ("sparse_categorical_crossentropy", LABELS, PROBABILITIES),
        ("binary_focal_crossentropy", ONE_HOT, PROBABILITIES),
        ("categorical_focal_crossentropy", ONE_HOT, PROBABILITIES),
        ("categorical_hinge", ONE_HOT, SCORES),
        ("cosine_similarity", ONE_HOT, SCORES),
        ("dice", ONE_HOT, PROBABILITIES),
        ("hinge", ONE_HOT, SCORES),
        ("huber", ONE_HOT, SCORES),
        ("kl_divergence", ONE_HOT, PROBABILITIES),
        ("log_cosh", ONE_HOT, SCORES),
        ("mean_absolute_percentage_error", SCORES[::-1], SCORES),
        ("mean_squared_logarithmic_error", ONE_HOT, SCORES),
        ("poisson", ONE_HOT, PROBABILITIES),
        ("squared_hinge", ONE_HOT, SCORES),
        ("tversky", ONE_HOT, PROBABILITIES),
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
