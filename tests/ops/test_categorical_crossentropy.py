# SPDX-License-Identifier: Apache-2.0
"""categorical_crossentropy: any target rows, smoothed or not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import isas, run_op

NAME = "categorical_crossentropy"


def predictions(from_logits, seed, *shape):
    draw = arrays.normal if from_logits else arrays.probabilities
    return draw(seed, *shape)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.15])
@pytest.mark.parametrize("shape", [(2,), (10,), (17,), (1000,), (5, 7), (3, 4, 6)])
@pytest.mark.parametrize("target", [arrays.one_hot, arrays.probabilities])
def test_cases(shape, from_logits, label_smoothing, target):
    attributes = {"from_logits": from_logits, "label_smoothing": label_smoothing}
    y_pred = predictions(from_logits, 1, 33, *shape)
    check_op(NAME, [y_pred, target(2, 33, *shape)], attributes)


@given(
    from_logits=st.booleans(),
    rows=st.lists(st.integers(1, 6), max_size=2),
    classes=st.integers(2, 40),
    smoothing=st.sampled_from([0.0, 0.1]),
    batch=st.integers(1, 35),
)
def test_drawn(from_logits, rows, classes, smoothing, batch):
    shape = (batch, *rows, classes)
    y_pred = predictions(from_logits, batch, *shape)
    attributes = {"from_logits": from_logits, "label_smoothing": smoothing}
    targets = arrays.normal(batch, *shape)  # not a distribution, as Keras allows
    check_op(NAME, [y_pred, targets], attributes, batches=[batch], coordinates=100)


def test_certain_and_wrong_is_clipped():
    y_pred = np.array([[0, 1, 0], [0, 1, 0]], np.float32)
    y_true = np.array([[0, 1, 0], [0, 0, 1]], np.float32)
    for isa in isas():
        y = run_op(NAME, [y_pred, y_true], {"from_logits": False}, isa=isa)
        np.testing.assert_allclose(y, [1.1920929e-7, -np.log(1e-7)], rtol=1e-5)
