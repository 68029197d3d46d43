# SPDX-License-Identifier: Apache-2.0
"""sparse_categorical_crossentropy: from logits and from probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import gradients_of, isas, run_op

NAME = "sparse_categorical_crossentropy"


def predictions(from_logits, seed, *shape):
    draw = arrays.normal if from_logits else arrays.probabilities
    return draw(seed, *shape)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("shape", [(2,), (10,), (17,), (1000,), (5, 7), (3, 4, 6)])
def test_cases(shape, from_logits):
    y_pred = predictions(from_logits, 1, 33, *shape)
    labels = arrays.labels(2, shape[-1], 33, *shape[:-1])
    check_op(NAME, [y_pred, labels], {"from_logits": from_logits})


@given(
    from_logits=st.booleans(),
    rows=st.lists(st.integers(1, 6), max_size=2),
    classes=st.integers(1, 40),
    batch=st.integers(1, 35),
)
def test_drawn(from_logits, rows, classes, batch):
    y_pred = predictions(from_logits, batch, batch, *rows, classes)
    if classes == 1:
        from_logits = True  # a single probability is clipped at 1: a bend
    labels = arrays.labels(batch, classes, batch, *rows)
    attributes = {"from_logits": from_logits}
    check_op(NAME, [y_pred, labels], attributes, batches=[batch], coordinates=100)


def test_probabilities_that_do_not_sum_to_one_are_divided_by_their_sum():
    y_pred = 3 * arrays.probabilities(1, 17, 9)
    check_op(NAME, [y_pred, arrays.labels(2, 9, 17)], {"from_logits": False})


def test_huge_logits_stay_finite():
    y_pred = np.array([[1e4, 0, -1e4], [-1e30, 1e30, 0]], np.float32)
    labels = np.array([2, 0], np.int32)
    for isa in isas():
        y = run_op(NAME, [y_pred, labels], {"from_logits": True}, isa=isa)
        np.testing.assert_allclose(y, [2e4, 2e30], rtol=1e-6)
        (dx,) = gradients_of(
            NAME, [y_pred, labels], {"from_logits": True}, isa=isa, loss=True
        )
        np.testing.assert_array_equal(dx, [[1, 0, -1], [-1, 1, 0]])


def test_certain_and_wrong_is_clipped():
    y_pred = np.array([[0, 1, 0], [0, 1, 0]], np.float32)
    labels = np.array([1, 2], np.int32)
    for isa in isas():
        y = run_op(NAME, [y_pred, labels], {"from_logits": False}, isa=isa)
        np.testing.assert_allclose(y, [1.1920929e-7, -np.log(1e-7)], rtol=1e-5)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("ignored", [-1, 2])
def test_ignored_rows_do_not_count(ignored, from_logits):
    y_pred = predictions(from_logits, 1, 17, 5, 6)
    labels = arrays.labels(2, 6, 17, 5)
    labels[::3, 1:] = ignored
    attributes = {"from_logits": from_logits}
    ignoring = {**attributes, "ignore_class": ignored}
    share = (labels != ignored).mean()
    counts = (labels != ignored).astype(np.float32)
    rows = (y_pred.reshape(-1, 6), np.maximum(labels, 0).reshape(-1))
    each = run_op(NAME, list(rows), attributes).reshape(17, 5) * counts
    for isa in isas():
        for rescale, factor in ((True, 1 / share), (False, 1.0)):
            chosen = {**ignoring, "rescale": rescale}
            y = run_op(NAME, [y_pred, labels], chosen, isa=isa)
            np.testing.assert_allclose(y, each.mean(axis=1) * factor, rtol=1e-5)
            (dx,) = gradients_of(NAME, [y_pred, labels], chosen, isa=isa, loss=True)
            (full,) = gradients_of(NAME, list(rows), attributes, isa=isa, loss=True)
            expected = full.reshape(17, 5, 6) * counts[..., None] * factor / 5
            np.testing.assert_allclose(dx, expected, rtol=1e-4, atol=1e-7)
