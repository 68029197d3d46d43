# SPDX-License-Identifier: Apache-2.0
"""Losses and metrics of all kinds in fit and evaluate, against NumPy."""

import numpy as np
import pytest

import pronghorn as ph
from pronghorn import ops

RNG = np.random.default_rng(5)
X = RNG.normal(size=(23, 6)).astype(np.float32)
Y = RNG.normal(size=(23, 4)).astype(np.float32)
LABELS = RNG.integers(0, 4, 23)


def compiled(loss, units=4, activation=None, **arguments):
    model = ph.Sequential([ph.Input((6,)), ph.layers.Dense(units, activation)])
    model.compile(ph.optimizers.SGD(0.05), loss=loss, **arguments)
    return model


def quartic(y_true, y_pred):
    return ops.mean((y_true - y_pred) ** 4, axis=-1)


class Quartic(ph.losses.Loss):
    def call(self, y_true, y_pred):
        return (y_true - y_pred) ** 4


@pytest.mark.parametrize("loss", [quartic, Quartic()])
def test_loss_of_ones_own(loss):
    model = compiled(loss, metrics=[quartic])
    kernel, bias = model.get_weights()
    error = X.astype(float) @ kernel + bias - Y
    logs = model.train_on_batch(X, Y, return_dict=True)
    np.testing.assert_allclose(logs["loss"], (error**4).mean(), rtol=1e-5)
    np.testing.assert_allclose(logs["quartic"], (error**4).mean(), rtol=1e-5)
    slope = 4 * error**3 / error.size
    expected = kernel - 0.05 * X.T @ slope
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-4, atol=1e-6)


def test_loss_of_ones_own_on_arrays():
    expected = ((Y[:5] - Y[5:10]) ** 4).mean()
    found = Quartic()(Y[:5], Y[5:10])
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-5)


def test_triplets_need_no_truth():
    model = compiled(ph.losses.TripletLoss(margin=1.0), units=6)
    y = model.predict(X, verbose=0).reshape(23, 3, 2).astype(float)
    near = ((y[:, 0] - y[:, 1]) ** 2).sum(axis=1)
    far = ((y[:, 0] - y[:, 2]) ** 2).sum(axis=1)
    expected = np.maximum(near - far + 1, 0).mean()
    found = model.evaluate(X, np.zeros(23), verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    losses = model.fit(X, np.zeros(23), epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_ignored_labels():
    loss = ph.losses.SparseCategoricalCrossentropy(True, ignore_class=-1)
    model = compiled(loss)
    labels = LABELS.copy()
    labels[::4] = -1
    scores = model.predict(X, verbose=0).astype(float)
    rows = np.flatnonzero(labels >= 0)
    logs = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(23), labels]
    found = model.evaluate(X, labels, batch_size=23, verbose=0)
    np.testing.assert_allclose(found, logs[rows].mean(), rtol=1e-5)
    labels[0] = -2
    with pytest.raises(ValueError, match="whole class numbers"):
        model.evaluate(X, labels, verbose=0)


def test_whole_batch_losses_respect_reductions():
    truth = (Y > 0).astype(np.float32)
    for reduction in ("sum", "sum_over_batch_size"):
        loss = ph.losses.Dice(reduction=reduction)
        model = compiled(loss, activation="sigmoid")
        found = model.evaluate(X, truth, batch_size=23, verbose=0)
        expected = loss(truth, model.predict(X, verbose=0))
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_results_that_are_no_means():
    metrics = ["cosine_similarity", ph.metrics.RootMeanSquaredError(), "mse"]
    model = compiled("mse", metrics=metrics)
    error = model.predict(X, verbose=0) - Y
    cosines = model.predict(X, verbose=0) * Y
    cosines = cosines.sum(axis=1) / np.linalg.norm(Y, axis=1)
    cosines /= np.linalg.norm(model.predict(X, verbose=0), axis=1)
    found = model.evaluate(X, Y, batch_size=7, verbose=0, return_dict=True)
    for name, value in (
        ("cosine_similarity", cosines.mean()),
        ("root_mean_squared_error", np.sqrt((error**2).mean())),
        ("mse", (error**2).mean()),
    ):
        np.testing.assert_allclose(found[name], value, rtol=1e-4)


def test_counting_metrics_in_training():
    truth = np.eye(4, dtype=np.float32)[LABELS]
    made = [ph.metrics.F1Score("macro"), ph.metrics.Precision(), "accuracy"]
    model = compiled(
        "categorical_crossentropy",
        activation="softmax",
        metrics=made,
        weighted_metrics=[ph.metrics.Recall(0.2)],
    )
    weights = RNG.random(23)
    found = model.evaluate(
        X, truth, sample_weight=weights, batch_size=5, verbose=0, return_dict=True
    )
    predictions = model.predict(X, verbose=0)
    for metric, given in (
        (ph.metrics.F1Score("macro"), None),
        (ph.metrics.Precision(), None),
        (ph.metrics.Recall(0.2), weights),
    ):
        expected = metric(truth, predictions, given)
        np.testing.assert_allclose(found[metric.name], expected, rtol=1e-5)
    right = predictions.argmax(axis=1) == LABELS
    np.testing.assert_allclose(found["accuracy"], right.mean(), rtol=1e-6)
    validation = (X, truth, weights)
    history = model.fit(X, truth, 7, 3, validation_data=validation, verbose=0).history
    assert set(found) | {f"val_{name}" for name in found} == set(history)
    again = model.evaluate(*validation[:2], sample_weight=weights, verbose=0)
    np.testing.assert_allclose(history["val_f1_score"][-1], again[1], rtol=1e-5)


def test_frozen_weights_have_no_penalty():
    model = ph.Sequential([ph.Input((6,))])
    model.add(ph.layers.Dense(4, kernel_regularizer="l2"))
    model.compile("sgd", "mse")
    error = model.predict(X, verbose=0) - Y
    (kernel, _), mean = model.get_weights(), (error**2).mean()
    penalty = 0.01 * (kernel**2).sum()
    found = model.evaluate(X, Y, verbose=0)
    np.testing.assert_allclose(found, mean + penalty, rtol=1e-5)
    np.testing.assert_allclose(model.losses, [penalty], rtol=1e-5)
    model.trainable = False
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), mean, rtol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ph.regularizers.L2(-1.0),
        lambda: ph.regularizers.OrthogonalRegularizer(mode="diagonals"),
        lambda: ph.regularizers.get("l3"),
        lambda: ph.constraints.get("small"),
        lambda: ph.losses.get("no_loss"),
        lambda: ph.losses.CategoricalGeneralizedCrossEntropy(q=1.0),
        lambda: ph.optimizers.SGD(clipnorm=1.0, clipvalue=1.0),
        lambda: ph.optimizers.AdamW(weight_decay=None),
        lambda: ph.optimizers.schedules.PiecewiseConstantDecay([1], [0.1]),
    ],
)
def test_wrong_arguments(make):
    with pytest.raises(ValueError, match=r"expected|Expected"):
        make()


def test_rules_of_weights_are_checked_before_training():
    rules = {"activity_regularizer": "orthogonal_regularizer"}
    model = ph.Sequential([ph.Input((6,)), ph.layers.Dense(4, **rules)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="for weights"):
        model.fit(X, Y, verbose=0)
    constraint = ph.constraints.MaxNorm(axis=2)
    model = ph.Sequential([ph.layers.Dense(4, kernel_constraint=constraint)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="expected an axis"):
        model.fit(X, Y, verbose=0)


def test_weights_of_rows():
    x = RNG.normal(size=(9, 5, 6)).astype(np.float32)
    y = RNG.normal(size=(9, 5, 4)).astype(np.float32)
    weights = RNG.random((9, 5))
    for loss in ("mse", lambda t, p: ops.mean((t - p) ** 2, axis=-1)):
        model = ph.Sequential([ph.Input((5, 6)), ph.layers.Dense(4)])
        model.compile("sgd", loss, weighted_metrics=["mae"])
        error = model.predict(x, verbose=0).astype(float) - y
        logs = model.evaluate(
            x, y, 4, sample_weight=weights[..., None], verbose=0, return_dict=True
        )
        expected = ((error**2).mean(axis=-1) * weights).mean()
        np.testing.assert_allclose(logs["loss"], expected, rtol=1e-5)
        expected = np.average(np.abs(error).mean(axis=-1), weights=weights)
        np.testing.assert_allclose(logs["mae"], expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"or per row, shape \(9, 5\), got \(9, 4\)"):
        model.evaluate(x, y, sample_weight=weights[:, :4])
    model.compile("sgd", Quartic())
    with pytest.raises(
        ValueError, match=r"one value for each weight .* got \(., 5, 4\)"
    ):
        model.evaluate(x, y, 4, sample_weight=weights)


def test_loss_of_ones_own_sums_all_values():
    model = compiled(Quartic(reduction="sum"))
    error = model.predict(X, verbose=0).astype(float) - Y
    found = model.evaluate(X, Y, 23, verbose=0)
    np.testing.assert_allclose(found, (error**4).sum(), rtol=1e-5)


@pytest.mark.parametrize("loss", ["dice", "ctc"])
def test_losses_of_samples_have_no_weights_of_rows(loss):
    model = ph.Sequential([ph.Input((5, 6)), ph.layers.Dense(4)])
    model.compile("sgd", loss)
    x = np.zeros((9, 5, 6), np.float32)
    y = np.ones((9, 2), int) if loss == "ctc" else x[..., :4]
    assert np.isfinite(model.evaluate(x, y, sample_weight=np.ones(9), verbose=0))
    with pytest.raises(ValueError, match=r"one weight per sample, shape \(9,\), got"):
        model.evaluate(x, y, sample_weight=np.ones((9, 5)))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([[1, 4], [0, 0]], "whole numbers from 0 to 3, got 4"),
        ([[1.5, 1], [0, 0]], "whole numbers from 0 to 3, got 1.5"),
        (
            [[1, 2], [0, 3]],
            r"zeros only behind the class numbers of a row, got \[0 3\]",
        ),
        ([1, 2], r"expected rows of class numbers, shape \(2, length\), got \(2,\)"),
    ],
)
def test_wrong_sequences(y, message):
    model = ph.Sequential([ph.Input((5, 6)), ph.layers.Dense(4)])
    model.compile("sgd", "ctc")
    x = np.zeros((2, 5, 6), np.float32)
    with pytest.raises(ValueError, match=message):
        model.fit(x, np.array(y))
    with pytest.raises(ValueError, match=message):
        ph.losses.ctc(y, np.zeros((2, 5, 4)))
    flat = compiled("ctc")
    with pytest.raises(
        ValueError, match=r"\(samples, frames, classes\), got \(23, 4\)"
    ):
        flat.fit(X, LABELS[:, None])


def test_circle_learns_to_tell_classes_apart():
    model = ph.Sequential([ph.Input((6,)), ph.layers.Dense(3)])
    model.add(ph.layers.UnitNormalization())
    model.compile(ph.optimizers.SGD(0.1), ph.losses.Circle(8.0))
    losses = model.fit(X, LABELS - 7, 23, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    with pytest.raises(ValueError, match="one class number per sample"):
        model.fit(X, Y)
    model.compile("sgd", ph.losses.Circle(reduction="mean_with_sample_weight"))
    with pytest.raises(ValueError, match="Circle: expected another reduction"):
        model.fit(X, LABELS, sample_weight=np.ones(23), verbose=0)
    with pytest.raises(ValueError, match="ref_labels"):
        ph.losses.circle([1, 2], [[1.0], [1.0]], ref_labels=[1, 2])


def test_factors_of_classes_must_be_as_many():
    model = compiled(ph.losses.CategoricalFocalCrossentropy([0.5, 1.0, 2.0]))
    with pytest.raises(ValueError, match="one for each class, got 3"):
        model.fit(X, np.eye(4)[LABELS], verbose=0)
    with pytest.raises(ValueError, match="a number or a list of numbers"):
        ph.losses.CategoricalFocalCrossentropy([[0.5]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda m: m.Precision(1.5), "thresholds from 0 to 1, got 1.5"),
        (lambda m: m.Recall(top_k=0), "top_k of at least 1, got 0"),
        (lambda m: m.AUC(curve="roc2"), "a curve of ROC, PR, PRGAIN"),
        (lambda m: m.AUC(num_labels=3), "num_labels with multi_label=True only"),
        (lambda m: m.PrecisionAtRecall(1.2), "recall from 0 to 1"),
        (lambda m: m.FBetaScore(beta=0.0), "beta above 0"),
        (lambda m: m.OneHotMeanIoU(3, sparse_y_pred=True), "sparse_y_pred=False"),
        (lambda m: m.R2Score("mean"), "class_aggregation"),
    ],
)
def test_wrong_arguments_of_metrics(make, message):
    with pytest.raises(ValueError, match=message):
        make(ph.metrics)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (ph.metrics.Precision(class_id=4), r"a class 4, got shape \(23, 4\)"),
        (ph.metrics.AUC(multi_label=True, num_labels=3), r"\(samples, 3\)"),
        (ph.metrics.AUC(label_weights=[1, 2]), "expected 4 label_weights"),
    ],
)
def test_metrics_that_do_not_fit(metric, message):
    with pytest.raises(ValueError, match=message):
        metric(Y > 0, Y)


def test_scores_need_sparse_y_pred_false():
    loss = "sparse_categorical_crossentropy"
    model = compiled(loss, activation="softmax", metrics=[ph.metrics.MeanIoU(4)])
    with pytest.raises(ValueError, match="scores of classes need sparse_y_pred=False"):
        model.evaluate(X, LABELS, verbose=0)


def mean_of_all(y_true, y_pred):
    return 2 * ops.mean(ops.square(y_true - y_pred)) + 1


@pytest.mark.parametrize("reduction", ["sum", "sum_over_batch_size"])
def test_loss_that_is_a_mean_over_the_batch(reduction):
    loss = ph.losses.get(mean_of_all)
    loss.reduction = reduction
    model = compiled(loss, metrics=[mean_of_all])
    kernel, bias = model.get_weights()
    error = X.astype(float) @ kernel + bias - Y
    logs = model.train_on_batch(X, Y, return_dict=True)
    for name in ("loss", "mean_of_all"):
        np.testing.assert_allclose(logs[name], 2 * (error**2).mean() + 1, rtol=1e-5)
    expected = kernel - 0.05 * X.T @ (4 * error / error.size)
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(loss(Y, Y), 1)
    with pytest.raises(ValueError, match="expected one value per sample"):
        model.evaluate(X, Y, sample_weight=np.ones(23), verbose=0)
