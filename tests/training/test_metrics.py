# SPDX-License-Identifier: Apache-2.0
"""Metrics of values, of functions and of correlation, alone and in training."""

import numpy as np
import pytest

import pronghorn as ph
from pronghorn import ops

RNG = np.random.default_rng(8)
X = RNG.normal(size=(23, 6)).astype(np.float32)
Y = RNG.normal(size=(23, 5)).astype(np.float32)
SAMPLES = RNG.random(23)
VALUES = RNG.normal(size=(7, 3, 5))


def compiled(units=5, **arguments):
    model = ph.Sequential([ph.Input((6,)), ph.layers.Dense(units)])
    model.compile(ph.optimizers.SGD(0.05), "mse", **arguments)
    return model


def pearson(true, predicted, axis=-1):
    true, predicted = (
        one.astype(float) - one.mean(axis=axis, keepdims=True, dtype=float)
        for one in (true, predicted)
    )
    norms = (true**2).sum(axis=axis) * (predicted**2).sum(axis=axis)
    return (true * predicted).sum(axis=axis) / np.sqrt(norms)


def concordance(true, predicted, axis=-1):
    true, predicted = true.astype(float), predicted.astype(float)
    means = true.mean(axis=axis), predicted.mean(axis=axis)
    covariance = (true * predicted).mean(axis=axis) - means[0] * means[1]
    spread = true.var(axis=axis) + predicted.var(axis=axis)
    return 2 * covariance / (spread + (means[0] - means[1]) ** 2 + 1e-7)


CORRELATIONS = [
    (ph.metrics.PearsonCorrelation, pearson),
    (ph.metrics.ConcordanceCorrelation, concordance),
]


@pytest.mark.parametrize(
    ("values", "weights", "expected"),
    [
        (5.0, None, 5.0),
        (5.0, 2.0, 5.0),
        (VALUES, None, VALUES.mean()),
        (VALUES, 0.3, VALUES.mean()),
        (VALUES, SAMPLES[:7], np.average(VALUES.mean((1, 2)), weights=SAMPLES[:7])),
        (
            VALUES,
            SAMPLES[:7, None],
            np.average(VALUES.mean((1, 2)), weights=SAMPLES[:7]),
        ),
        (VALUES, VALUES[..., 0], np.average(VALUES.mean(2), weights=VALUES[..., 0])),
        (VALUES, VALUES[..., :1], np.average(VALUES.mean(2), weights=VALUES[..., 0])),
        (VALUES, VALUES, np.average(VALUES, weights=VALUES)),
        ([1, 3], [[1], [0]], 1.0),
        ([1, 3], [0, 0], 0.0),
        ([], None, 0.0),
        (np.zeros((0, 3)), None, 0.0),
        (np.zeros((3, 0)), None, np.nan),
        ([np.inf, -np.inf], None, np.nan),
        (3e38, 2.0, 3e38),
    ],
)
def test_mean(values, weights, expected):
    metric = ph.metrics.Mean()
    assert metric.result() == 0
    metric.update_state(values, sample_weight=weights)
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-5)
    assert isinstance(metric.result(), np.float32)
    metric.reset_state()
    np.testing.assert_allclose(metric(values, weights), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("values", "weights", "expected"),
    [
        (5.0, 2.0, 10.0),
        ([1, 3, 5, 7], [1, 1, 0, 0], 4.0),
        ([1, 3, 5, 7], 2.0, 32.0),
        (VALUES, None, VALUES.sum()),
        (VALUES, SAMPLES[:7], (VALUES.sum((1, 2)) * SAMPLES[:7]).sum()),
        (VALUES, VALUES, (VALUES**2).sum()),
        ([], None, 0.0),
        (np.zeros((3, 0)), None, 0.0),
        ([3e38, 3e38], None, np.inf),
    ],
)
def test_sum(values, weights, expected):
    metric = ph.metrics.Sum(name="all")
    metric.update_state(values, weights)
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-5)
    metric.update_state(values, weights)
    np.testing.assert_allclose(metric.result(), 2 * expected, rtol=1e-5)
    metric.reset_state()
    assert metric.result() == 0


def test_a_sample_counts_once_in_a_mean():
    metric = ph.metrics.Mean()
    metric.update_state(VALUES)
    metric.update_state(5.0)
    metric.update_state([1.0, 2.0], 3.0)  # one number weighs their mean
    expected = (VALUES.mean((1, 2)).sum() + 5 + 3 * 1.5) / (7 + 1 + 3)
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-6)


def test_trackers_of_a_loop_of_ones_own():
    class Net(ph.Model):
        def __init__(self):
            super().__init__()
            self.dense = ph.layers.Dense(5)
            self.loss_tracker = ph.metrics.Mean(name="loss")

        def call(self, inputs):
            return self.dense(inputs)

    model = Net()
    model.compile("sgd", "mse")
    losses = []
    for rows in np.split(np.arange(23), [8, 16]):
        losses.append(model.train_on_batch(X[rows], Y[rows]))
        model.loss_tracker.update_state(losses[-1], sample_weight=len(rows))
    expected = np.average(losses, weights=[8, 8, 7])
    np.testing.assert_allclose(model.loss_tracker.result(), expected, rtol=1e-6)


@pytest.mark.parametrize("metric", ["mean", "Sum", ph.metrics.Mean, ph.metrics.Sum()])
def test_compile_refuses_metrics_of_values(metric):
    for argument in ("metrics", "weighted_metrics"):
        with pytest.raises(ValueError, match=r"y_true and y_pred, got (Mean|Sum)"):
            compiled(**{argument: [metric]})


def weighted_difference(y_true, y_pred, factor=1.0):
    return factor * ops.abs(y_true - y_pred)


FUNCTIONS = [
    (weighted_difference, {"factor": 3.0}, lambda t, p: 3 * abs(t - p).mean(axis=1)),
    (ph.losses.Huber(0.2), {}, None),
    (ph.losses.huber, {"delta": 0.2}, None),
    (ph.losses.mean_squared_error, {}, lambda t, p: ((t - p) ** 2).mean(axis=1)),
    (
        ph.metrics.binary_accuracy,
        {"threshold": 0.3},
        lambda t, p: (t == (p > 0.3)).mean(axis=1),
    ),
    (ph.metrics.pearson_correlation, {}, pearson),
]


@pytest.mark.parametrize("weights", [None, SAMPLES])
@pytest.mark.parametrize(("function", "arguments", "reference"), FUNCTIONS)
def test_mean_of_a_function(function, arguments, reference, weights):
    metric = ph.metrics.MeanMetricWrapper(function, name="wrapped", **arguments)
    model = compiled(weighted_metrics=[metric])
    predicted = model.predict(X, verbose=0)
    if reference is None:
        error = abs(Y - predicted)
        huber = np.where(error < 0.2, error**2 / 2, 0.2 * error - 0.02)
        expected = np.average(huber.mean(axis=1), weights=weights)
    else:
        expected = np.average(reference(Y, predicted), weights=weights)
    logs = model.evaluate(
        X, Y, batch_size=9, sample_weight=weights, verbose=0, return_dict=True
    )
    np.testing.assert_allclose(logs["wrapped"], expected, rtol=1e-4)
    for made in (metric, type(metric).from_config(metric.get_config())):
        assert made.name == "wrapped"
        for rows in (slice(0, 9), slice(9, 23)):
            part = None if weights is None else weights[rows]
            made.update_state(Y[rows], predicted[rows], part)
        np.testing.assert_allclose(made.result(), expected, rtol=1e-4)
        made.reset_state()
        assert made.result() == 0


def test_names_of_wrapped_functions():
    assert ph.metrics.MeanMetricWrapper(weighted_difference).name.startswith(
        "mean_metric_wrapper"
    )
    assert ph.metrics.get(weighted_difference).name == "weighted_difference"
    with pytest.raises(ValueError, match="expected `fn` to be a function"):
        ph.metrics.MeanMetricWrapper("mse")
    with pytest.raises(ValueError, match="missing 1 required positional argument"):
        ph.metrics.get("mean_metric_wrapper")


@pytest.mark.parametrize("weights", [None, SAMPLES])
@pytest.mark.parametrize(("kind", "reference"), CORRELATIONS)
def test_correlations_of_samples(kind, reference, weights):
    metric = kind()
    model = compiled(weighted_metrics=[metric], metrics=[kind(name="plain")])
    predicted = model.predict(X, verbose=0)
    each = reference(Y, predicted)
    logs = model.evaluate(
        X, Y, batch_size=7, sample_weight=weights, verbose=0, return_dict=True
    )
    expected = np.average(each, weights=weights)
    np.testing.assert_allclose(logs[metric.name], expected, rtol=1e-4)
    np.testing.assert_allclose(logs["plain"], each.mean(), rtol=1e-4)
    for part in (slice(0, 7), slice(7, 23)):
        weight = None if weights is None else weights[part]
        metric.update_state(Y[part], predicted[part], sample_weight=weight)
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-4)


@pytest.mark.parametrize("axis", [0, -2, None, (0, 1)])
@pytest.mark.parametrize(("kind", "reference"), CORRELATIONS)
def test_correlations_along_the_batch_are_of_batches(kind, reference, axis):
    model = compiled(metrics=[kind(axis=axis)])
    predicted = model.predict(X, verbose=0)
    batches = [slice(0, 9), slice(9, 18), slice(18, 23)]
    expected = np.mean([reference(Y[at], predicted[at], axis) for at in batches])
    found = model.evaluate(X, Y, batch_size=9, verbose=0)[1]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    metric = kind.from_config(kind(axis=axis).get_config())
    assert metric.axis == axis
    for at in batches:
        metric.update_state(Y[at], predicted[at])
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-4)
    with pytest.raises(ValueError, match="expected sample_weight for values of shape"):
        metric.update_state(Y, predicted, SAMPLES)


def test_correlation_of_one_output_while_training():
    model = compiled(1, metrics=[ph.metrics.PearsonCorrelation(axis=0)])
    target = X @ np.array([[1.0], [-2], [0.5], [0], [1], [3]])
    logs = model.fit(X, target, 8, 40, validation_data=(X, target), verbose=0).history
    assert logs["val_pearson_correlation"][-1] > 0.99
    assert logs["pearson_correlation"][-1] > logs["pearson_correlation"][0]


@pytest.mark.parametrize(("kind", "reference"), CORRELATIONS)
def test_correlations_of_maps(kind, reference):
    x = RNG.normal(size=(9, 5, 4, 3)).astype(np.float32)
    y = RNG.normal(size=(9, 5, 4, 3)).astype(np.float32)
    weights = RNG.random(9)
    model = ph.Sequential([ph.Input((5, 4, 3)), ph.layers.Activation("tanh")])
    made = [kind(axis=axis, name=str(axis)) for axis in (-1, 2, (1, 2, 3))]
    model.compile("sgd", "mse", weighted_metrics=made)
    logs = model.evaluate(x, y, 4, sample_weight=weights, verbose=0, return_dict=True)
    for metric in made:
        each = reference(y, np.tanh(x), metric.axis).reshape(9, -1).mean(axis=1)
        expected = np.average(each, weights=weights)
        np.testing.assert_allclose(logs[metric.name], expected, rtol=1e-4, atol=1e-6)


def test_correlations_of_constants():
    constant, rising = np.ones((2, 3)), np.array([[1.0, 2, 3], [1, 2, 3]])
    assert np.isnan(ph.metrics.pearson_correlation(constant, rising)).all()
    assert np.isnan(ph.metrics.PearsonCorrelation()(rising, constant))
    assert (ph.metrics.concordance_correlation(constant, rising) == 0).all()
    assert ph.metrics.ConcordanceCorrelation()(constant, constant) == 0
    model = compiled(1, metrics=["pearson_correlation"])
    assert np.isnan(model.evaluate(X, Y[:, 0], verbose=0)[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.Mean().update_state("a"), "mean: values: expected numbers"),
        (
            lambda m: m.Sum(name="s").update_state([1, 2], [1, 2, 3]),
            r"s: expected sample_weight for values of shape \(2,\), got shape \(3,\)",
        ),
        (
            lambda m: m.Mean().update_state(VALUES, VALUES[None]),
            r"values of shape \(7, 3, 5\), got shape \(1, 7, 3, 5\)",
        ),
        (lambda m: m.Mean(dtype="float16"), "Mean: expected dtype float32"),
        (
            lambda m: m.PearsonCorrelation()(Y, X),
            r"y_true: expected the shape of the predictions, \(23, 6\), got \(23, 5\)",
        ),
    ],
)
def test_wrong_calls(call, message):
    with pytest.raises(ValueError, match=message):
        call(ph.metrics)


class Errors(ph.metrics.Metric):
    """The share of wrong answers, and how many batches there were."""

    def __init__(self, name="errors", **kwargs):
        super().__init__(name=name, **kwargs)
        self.counts = self.add_variable((2,), "zeros", name="counts")
        self.batches = self.add_weight(name="batches")

    def update_state(self, y_true, y_pred, sample_weight=None):
        assert y_true.dtype == np.int32
        right = ops.cast(ops.argmax(y_pred, axis=1) == y_true, "float32")
        weights = ops.ones_like(right) if sample_weight is None else sample_weight
        counts = [ops.sum(weights * right), ops.sum(weights * (1 - right))]
        self.counts.assign_add(counts)
        self.batches.assign_sub(-1)

    def result(self):
        return self.counts[1] / ops.sum(self.counts)


def test_metric_of_ones_own():
    labels = RNG.integers(0, 5, 23)
    made = Errors(), Errors(name="weighted")
    model = ph.Sequential([ph.Input((6,)), ph.layers.Dense(5)])
    loss = ph.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=made[:1], weighted_metrics=made[1:])
    wrong = model.predict(X, verbose=0).argmax(axis=1) != labels
    for _ in range(2):  # the second begins anew
        logs = model.evaluate(X, labels, 4, 0, SAMPLES, return_dict=True)
        np.testing.assert_allclose(logs["errors"], wrong.mean(), rtol=1e-6)
        expected = np.average(wrong, weights=SAMPLES)
        np.testing.assert_allclose(logs["weighted"], expected, rtol=1e-6)
        assert float(made[0].batches) == 6
    history = model.fit(X, labels, 4, 2, validation_split=0.5, verbose=0).history
    assert {"errors", "val_errors", "weighted", "val_weighted"} < set(history)
    assert [v.name for v in made[0].variables] == ["counts", "batches"]
    made[0].reset_state()
    assert not np.asarray(made[0].counts).any()
    assert type(Errors.from_config(made[1].get_config())) is Errors
    assert isinstance(ph.metrics.get(Errors), Errors)


class MeanMaximum(ph.metrics.Mean):
    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(ops.max(ops.abs(y_true - y_pred), axis=1), sample_weight)


class Doubled(ph.metrics.MeanAbsoluteError):
    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(2 * y_true, 2 * y_pred, sample_weight)


def test_metrics_derived_from_others():
    model = compiled(weighted_metrics=[MeanMaximum("worst"), Doubled("twice"), "mae"])
    error = abs(model.predict(X, verbose=0) - Y)
    logs = model.evaluate(X, Y, 5, 0, SAMPLES, return_dict=True)
    expected = np.average(error.max(axis=1), weights=SAMPLES)
    np.testing.assert_allclose(logs["worst"], expected, rtol=1e-5)
    np.testing.assert_allclose(logs["twice"], 2 * logs["mae"], rtol=1e-5)


def test_truth_beyond_int32_is_refused():
    model = compiled(metrics=[MeanMaximum()])
    with pytest.raises(ValueError, match="whole numbers from -2147483648"):
        model.evaluate(X, np.full((23, 5), 2**31), verbose=0)


def test_metrics_without_methods():
    class Nothing(ph.metrics.Metric):
        pass

    for call in (Nothing().update_state, Nothing().result):
        with pytest.raises(NotImplementedError, match="Nothing has no `"):
            call()
