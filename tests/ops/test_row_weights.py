# SPDX-License-Identifier: Apache-2.0
"""Weights of rows, the third input of losses and accuracies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn import config
from pronghorn.testing import arrays
from pronghorn.testing.running import gradients_of, run_op

CROSSENTROPY = "sparse_categorical_crossentropy"
LOSSES = [
    (CROSSENTROPY, {"from_logits": True}, "labels"),
    (CROSSENTROPY, {"from_logits": True, "ignore_class": 1}, "labels"),
    (CROSSENTROPY, {"ignore_class": 0, "rescale": False}, "labels"),
    ("categorical_crossentropy", {"label_smoothing": 0.1}, "one hot"),
    ("binary_crossentropy", {}, "one hot"),
    ("mean_squared_error", {}, "one hot"),
    ("pointwise_loss", {"kind": "hinge"}, "one hot"),
    ("pointwise_loss", {"kind": "huber"}, "one hot"),
    ("row_loss", {"kind": "categorical_focal_crossentropy"}, "one hot"),
    ("row_loss", {"kind": "multiclass_hinge"}, "labels"),
]
SHARES = [
    ("sparse_categorical_accuracy", {}, "labels"),
    ("categorical_accuracy", {}, "one hot"),
    ("binary_accuracy", {}, "one hot"),
    ("top_k_categorical_accuracy", {"k": 2}, "one hot"),
]


def drawn(seed, target, *shape):
    """Probabilities, targets and weights of rows, some of them 0."""
    y = arrays.labels(seed, shape[-1], *shape[:-1])
    weights = np.maximum(arrays.normal(seed + 1, *shape[:-1]), 0).astype(np.float32)
    if target == "one hot":
        y = np.eye(shape[-1], dtype=np.float32)[y]
    return arrays.probabilities(seed + 2, *shape), y, weights


@given(
    case=st.sampled_from(LOSSES + SHARES),
    rows=st.lists(st.integers(2, 5), min_size=1, max_size=2),
    classes=st.integers(2, 20),
    batch=st.integers(1, 35),
)
def test_is_the_weighted_mean_of_rows(case, rows, classes, batch):
    name, attributes, target = case
    x, y, weights = drawn(batch, target, batch, *rows, classes)
    # As images of their own the rows have losses, whose means are known.
    flat = [x.reshape(-1, classes), y.reshape(-1, *y.shape[1 + len(rows) :])]
    each = run_op(name, flat, attributes).reshape(weights.shape)
    axes = tuple(range(1, weights.ndim))
    expected = (weights * each).mean(axis=axes)
    inputs = [x, y, weights]
    np.testing.assert_allclose(
        run_op(name, inputs, attributes), expected, rtol=1e-5, atol=1e-6
    )
    if case in SHARES:
        return
    (slopes,) = gradients_of(name, flat, attributes, loss=True)
    factors = weights[..., np.newaxis] / weights[0].size
    (found,) = gradients_of(name, inputs, attributes, loss=True)
    np.testing.assert_allclose(
        found, slopes.reshape(x.shape) * factors, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(("name", "attributes", "target"), LOSSES + SHARES)
def test_any_number_of_threads_gives_the_same_bits(name, attributes, target):
    inputs = drawn(5, target, 67, 7, 11)
    found = []
    before = config.num_threads()
    for threads in (1, 3):
        config.set_num_threads(threads)
        values = [run_op(name, inputs, attributes)]
        if (name, attributes, target) in LOSSES:
            values += gradients_of(name, inputs, attributes, loss=True)
        found.append(values)
    config.set_num_threads(before)
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("shape", [(5,), (5, 4), (5, 3, 1, 2)])
def test_other_shapes_are_refused(shape):
    x, y, _ = drawn(1, "labels", 5, 3, 4)
    with pytest.raises(ValueError, match=r"expected 3 weights per image"):
        run_op(CROSSENTROPY, [x, y, np.ones(shape, np.float32)], {})
