# SPDX-License-Identifier: Apache-2.0
"""Metrics with all of their arguments give Keras's numbers, on arrays and in fit."""

import inspect

import numpy as np
import pytest

import pronghorn

keras = pytest.importorskip("keras")

TOLERANCE = {"rtol": 2e-5, "atol": 2e-6}
RNG = np.random.default_rng(4)
ROWS = 43
TRUTH = (RNG.random((ROWS, 4)) < 0.4).astype(np.float32)
SCORES = np.clip(RNG.random((ROWS, 4)) * 0.8 + 0.2 * TRUTH, 0, 1).astype(np.float32)
SCORES[::7] = np.round(SCORES[::7], 1)  # ties, and numbers on thresholds
WEIGHTS = RNG.random(ROWS).astype(np.float32)
LABELS = RNG.integers(0, 4, (ROWS, 3))
IMAGES = RNG.random((ROWS, 3, 4)).astype(np.float32)
ONE_HOT = np.eye(4, dtype=np.float32)[LABELS]

QUOTIENTS = [
    {},
    {"thresholds": 0.3},
    {"thresholds": [0.7, 0.1, 0.4]},
    {"thresholds": [0.25]},
    {"top_k": 2},
    {"top_k": 1, "class_id": 2},
    {"class_id": 1},
    {"top_k": 3, "thresholds": [0.2, 0.6]},
    {"class_id": -1, "thresholds": 0.45},
]
AREAS = [
    {"curve": curve, "summation_method": method, **arguments}
    for curve in ("ROC", "PR", "PRGAIN")
    for method in ("interpolation", "minoring", "majoring")
    for arguments in (
        {},
        {"num_thresholds": 7, "multi_label": True},
        {"multi_label": True, "num_labels": 4, "label_weights": [0.1, 2, 1, 0.5]},
    )
]
AREAS += [
    {"label_weights": [0.1, 2, 1, 0.5]},
    {"thresholds": [0.9, 0.2, 0.35], "multi_label": True},
    {"thresholds": [0.25, 0.5, 0.75], "curve": "PR"},
    {"from_logits": True},
    {"from_logits": True, "multi_label": True, "curve": "PR"},
]
CASES = [
    *((name, one) for name in ("Precision", "Recall") for one in QUOTIENTS),
    *(("AUC", one) for one in AREAS),
    *(
        (f"{side}{kind}", one)
        for side in ("True", "False")
        for kind in ("Positives", "Negatives")
        for one in ({}, {"thresholds": [0.2, 0.8]})
    ),
    *(
        (name, {argument: 0.55, **one})
        for name, argument in (
            ("SensitivityAtSpecificity", "specificity"),
            ("SpecificityAtSensitivity", "sensitivity"),
            ("PrecisionAtRecall", "recall"),
            ("RecallAtPrecision", "precision"),
        )
        for one in ({}, {"num_thresholds": 9}, {"num_thresholds": 1, "class_id": 3})
    ),
    *(
        ("FBetaScore", {"average": average, "beta": beta, "threshold": threshold})
        for average in (None, "micro", "macro", "weighted")
        for beta, threshold in ((0.5, None), (2.0, 0.4))
    ),
    *(
        ("R2Score", {"class_aggregation": one, "num_regressors": number})
        for one in (None, "uniform_average", "variance_weighted_average")
        for number in (0, 5)
    ),
    *(
        (f"{kind}Correlation", one)
        for kind in ("Pearson", "Concordance")
        for one in ({}, {"axis": 1}, {"name": "correlation"})
    ),
]


def both(name, arguments):
    return [getattr(api.metrics, name)(**arguments) for api in (keras, pronghorn)]


def compare(metrics, truth, prediction, weights):
    for metric in metrics:
        for part in (slice(0, 20), slice(20, ROWS)):
            weight = None if weights is None else weights[part]
            metric.update_state(truth[part], prediction[part], sample_weight=weight)
    theirs, ours = metrics
    np.testing.assert_allclose(ours.result(), np.asarray(theirs.result()), **TOLERANCE)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_arguments(name, arguments, weights):
    predictions = 6 * SCORES - 3 if arguments.get("from_logits") else SCORES
    metrics = both(name, arguments)
    compare(metrics, TRUTH, predictions, weights)
    theirs, ours = metrics
    again = type(ours).from_config(ours.get_config())
    again.update_state(TRUTH, predictions)
    ours.reset_state()
    ours.update_state(TRUTH, predictions)
    np.testing.assert_array_equal(ours.result(), again.result())
    assert ours.name == theirs.name or theirs.name.startswith(f"{ours.name}_")


OVERLAPS = [
    ("MeanIoU", {"num_classes": 4}, LABELS, LABELS[::-1]),
    ("MeanIoU", {"num_classes": 4, "sparse_y_pred": False}, LABELS, IMAGES),
    (
        "MeanIoU",
        {"num_classes": 4, "sparse_y_pred": False, "ignore_class": 2},
        LABELS,
        IMAGES,
    ),
    (
        "MeanIoU",
        {"num_classes": 4, "sparse_y_pred": False, "ignore_class": -1},
        np.where(LABELS == 1, -1, LABELS),
        IMAGES,
    ),
    (
        "MeanIoU",
        {"num_classes": 4, "sparse_y_true": False, "sparse_y_pred": False},
        ONE_HOT,
        IMAGES,
    ),
    (
        "IoU",
        {"num_classes": 4, "target_class_ids": [0, 3], "sparse_y_pred": False},
        LABELS,
        IMAGES,
    ),
    ("IoU", {"num_classes": 4, "target_class_ids": [1]}, LABELS, LABELS[::-1]),
    ("OneHotMeanIoU", {"num_classes": 4, "ignore_class": 0}, ONE_HOT, IMAGES),
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "arguments", "truth", "prediction"), OVERLAPS)
def test_overlaps(name, arguments, truth, prediction, weighted):
    weights = RNG.random((ROWS, 3)).astype(np.float32) if weighted else None
    metrics = both(name, {**arguments, "dtype": "float32"})
    compare(metrics, truth, prediction, weights)


def test_overlaps_with_the_classes_on_another_axis():  # Keras on JAX refuses them
    moved = pronghorn.metrics.OneHotIoU(4, [1, 2], axis=1)
    plain = pronghorn.metrics.OneHotIoU(4, [1, 2])
    channels_first = (np.moveaxis(one, -1, 1) for one in (ONE_HOT, IMAGES))
    assert moved(*channels_first) == plain(ONE_HOT, IMAGES)


PAIRS = [
    (5.0, None),
    (5.0, 2.0),
    (5.0, [2.0]),
    (IMAGES, None),
    (IMAGES, 0.3),
    (IMAGES, WEIGHTS),
    (IMAGES, WEIGHTS[:, None]),
    (IMAGES, WEIGHTS[:, None, None]),
    (IMAGES, LABELS),
    (IMAGES, LABELS[..., None]),
    (IMAGES, IMAGES[::-1]),
    (WEIGHTS, WEIGHTS[:, None]),
    (WEIGHTS[:, None], WEIGHTS),
    (WEIGHTS, [3.0]),
    ([1, 3, 5, 7], [1, -1, 1, -1]),
    ([], None),
    (np.zeros((0, 3)), None),
    (np.zeros((3, 0)), None),
    (True, None),
]


@pytest.mark.parametrize(
    ("truth", "prediction", "weights"),
    [
        (LABELS, LABELS[::-1], None),
        (LABELS, LABELS[::-1], WEIGHTS),
        (LABELS, LABELS[::-1], LABELS),
        (LABELS[:, 0], LABELS[:, 1], WEIGHTS),
        (LABELS[:, 0], LABELS[:, 1:2], None),
        (LABELS[:, :1], LABELS[:, 1], WEIGHTS),
    ],
)
def test_equal_values(truth, prediction, weights):
    theirs, ours = (
        api.metrics.Accuracy()(truth, prediction, sample_weight=weights)
        for api in (keras, pronghorn)
    )
    np.testing.assert_allclose(ours, np.asarray(theirs), **TOLERANCE)


def test_serialized_metrics():
    for name, arguments in [("Mean", {}), ("AUC", {"curve": "PR"}), ("Accuracy", {})]:
        theirs, ours = both(name, arguments)
        config = keras.metrics.serialize(theirs)
        made = pronghorn.metrics.deserialize(pronghorn.metrics.serialize(ours))
        assert made.get_config() == ours.get_config()
        assert set(pronghorn.metrics.serialize(ours)) == set(config) - {"build_config"}
        read = pronghorn.metrics.deserialize(config)
        assert type(read) is type(ours)
        back = keras.metrics.deserialize(pronghorn.metrics.serialize(ours))
        assert type(back) is type(theirs)


@pytest.mark.parametrize("name", ["Mean", "Sum"])
@pytest.mark.parametrize(("values", "weights"), PAIRS)
def test_values(name, values, weights):
    theirs, ours = metrics = both(name, {})
    for metric in metrics:  # other numbers of samples, and of values of a sample
        metric.update_state([1.0, 2.0], sample_weight=0.5)
        metric.update_state(values, sample_weight=weights)
        metric.update_state([[3.0], [4.0]])
    np.testing.assert_allclose(ours.result(), np.asarray(theirs.result()), **TOLERANCE)


@pytest.mark.parametrize("name", ["Mean", "Sum"])
@pytest.mark.parametrize(
    ("values", "weights"),
    [
        (5.0, [2.0, 3.0]),
        ([1.0, 2, 3], [[1.0, 2.0]]),
        (IMAGES, WEIGHTS[:3]),
        (IMAGES, IMAGES[None]),
    ],
)
def test_weights_that_do_not_fit(name, values, weights):
    for metric in both(name, {}):
        with pytest.raises(ValueError, match=r"shape|broadcasting"):
            metric.update_state(values, sample_weight=weights)


@pytest.mark.parametrize("kind", ["pearson_correlation", "concordance_correlation"])
@pytest.mark.parametrize("axis", [-1, 0, 1, (1, 2), (0, 1), None])
def test_correlations_along_axes(kind, axis):
    theirs, ours = (
        getattr(api.metrics, kind)(IMAGES, IMAGES[::-1], axis=axis)
        for api in (keras, pronghorn)
    )
    np.testing.assert_allclose(ours, np.asarray(theirs), rtol=1e-4, atol=1e-5)


def test_correlations_of_constants():
    truth, prediction = np.ones((3, 4), np.float32), np.eye(3, 4, dtype=np.float32)
    for name in ("PearsonCorrelation", "ConcordanceCorrelation"):
        for one, other in ((truth, prediction), (prediction, truth), (truth, truth)):
            theirs, ours = (
                metric(one, other, sample_weight=[1, 2, 3]) for metric in both(name, {})
            )
            np.testing.assert_allclose(ours, np.asarray(theirs), **TOLERANCE)


def difference(y_true, y_pred, power=1):
    return abs(y_true - y_pred) ** power


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (lambda _: difference, {}),
        (lambda _: difference, {"power": 3}),
        (lambda api: api.losses.binary_crossentropy, {"label_smoothing": 0.2}),
        (lambda api: api.metrics.binary_accuracy, {"threshold": 0.3}),
        (lambda api: api.metrics.pearson_correlation, {"axis": -1}),
    ],
)
def test_functions_in_evaluate(function, arguments, weights):
    results = []
    for api in (keras, pronghorn):
        metrics = [
            api.metrics.MeanMetricWrapper(function(api), name="mean", **arguments)
            for _ in range(2)
        ]
        metrics[0].update_state(TRUTH, SCORES, sample_weight=weights)
        model = api.Sequential([api.Input((4,)), api.layers.Activation("linear")])
        model.compile(loss="mse", weighted_metrics=[metrics[1]])
        found = model.evaluate(
            SCORES, TRUTH, batch_size=9, sample_weight=weights, verbose=0
        )
        results.append([np.asarray(metrics[0].result()), found[1]])
    np.testing.assert_allclose(*results, **TOLERANCE)


def own_metrics(api):
    """Such as those of Keras's guides."""
    ops = api.ops

    class BinaryTruePositives(api.metrics.Metric):
        def __init__(self, name="binary_true_positives", **kwargs):
            super().__init__(name=name, **kwargs)
            self.true_positives = self.add_variable(
                shape=(), initializer="zeros", name="true_positives"
            )

        def update_state(self, y_true, y_pred, sample_weight=None):
            y_true = ops.cast(y_true, "bool")
            y_pred = ops.cast(y_pred > 0.5, "bool")
            values = ops.logical_and(ops.equal(y_true, True), ops.equal(y_pred, True))
            values = ops.cast(values, self.dtype)
            if sample_weight is not None:
                sample_weight = ops.cast(sample_weight, self.dtype)
                values = ops.multiply(values, ops.reshape(sample_weight, (-1, 1)))
            self.true_positives.assign(self.true_positives + ops.sum(values))

        def result(self):
            return self.true_positives + 1

    class CategoricalTruePositives(api.metrics.Metric):
        def __init__(self, name="categorical_true_positives", **kwargs):
            super().__init__(name=name, **kwargs)
            self.true_positives = self.add_weight(name="ctp", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            found = ops.argmax(y_pred, axis=1)
            values = ops.equal(ops.argmax(y_true, axis=1), found)
            values = ops.cast(values, "float32")
            if sample_weight is not None:
                values = ops.multiply(values, ops.cast(sample_weight, "float32"))
            self.true_positives.assign_add(ops.sum(values))

        def result(self):
            return self.true_positives.value

        def reset_state(self):
            self.true_positives.assign(0.0)

    return [BinaryTruePositives(), CategoricalTruePositives()]


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_metrics_of_ones_own(weights):
    results = []
    for api in (keras, pronghorn):
        model = api.Sequential([api.Input((4,)), api.layers.Activation("linear")])
        model.compile(loss="mse", weighted_metrics=own_metrics(api))
        found = model.evaluate(
            SCORES, TRUTH, batch_size=9, sample_weight=weights, verbose=0
        )
        alone = own_metrics(api)
        for metric in alone:
            metric.update_state(TRUTH, SCORES, sample_weight=weights)
        results.append([*found, *(float(metric.result()) for metric in alone)])
    np.testing.assert_allclose(results[1], results[0], **TOLERANCE)


def test_ignored_labels_of_cross_entropy():
    metrics = both("SparseCategoricalCrossentropy", {"ignore_class": 3})
    probabilities = IMAGES / IMAGES.sum(axis=-1, keepdims=True)
    compare(metrics, LABELS, probabilities, None)


def test_names_and_defaults():
    """All arguments of Keras, in its order; what is left out is named here."""
    lacking = {"SparseTopKCategoricalAccuracy": {"from_sorted_ids"}}
    for name in pronghorn.metrics.__all__:
        ours, theirs = (getattr(api.metrics, name, None) for api in (pronghorn, keras))
        if name == "Metric" or not isinstance(theirs, type):
            continue
        expected, found = (
            {key: one.default for key, one in inspect.signature(api).parameters.items()}
            for api in (theirs, ours)
        )
        for key in lacking.get(name, ()):
            del expected[key]
        if name == "BinaryIoU":
            found["target_class_ids"] = tuple(found["target_class_ids"])
            expected["target_class_ids"] = tuple(expected["target_class_ids"])
        expected["name"] = found["name"] = ""  # None may mean the same
        assert list(found.items()) == list(expected.items()), name


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_in_evaluate(weights):
    results = []
    for api in (keras, pronghorn):
        model = api.Sequential([api.Input((4,)), api.layers.Activation("linear")])
        metrics = [
            api.metrics.Precision([0.2, 0.6], top_k=3, name="a"),
            api.metrics.Recall(class_id=2, name="b"),
            api.metrics.AUC(multi_label=True, label_weights=[1, 2, 3, 4], name="c"),
            api.metrics.FalsePositives(name="d"),
            api.metrics.R2Score(name="e"),
            api.metrics.PearsonCorrelation(name="f"),
            "concordance_correlation",
        ]
        of_batches = [
            api.metrics.PearsonCorrelation(name="g", axis=0),
            api.metrics.ConcordanceCorrelation(name="h", axis=(0, 1)),
        ]
        model.compile(loss="mse", metrics=of_batches, weighted_metrics=metrics)
        results.append(
            model.evaluate(
                SCORES,
                TRUTH,
                batch_size=9,
                sample_weight=weights,
                verbose=0,
                return_dict=True,
            )
        )
    theirs, ours = results
    for name, expected in theirs.items():
        np.testing.assert_allclose(ours[name], expected, err_msg=name, **TOLERANCE)
