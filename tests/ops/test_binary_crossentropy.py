# SPDX-License-Identifier: Apache-2.0
"""binary_crossentropy: independent questions, from logits and probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import isas, run_op

NAME = "binary_crossentropy"


def predictions(from_logits, seed, *shape):
    if from_logits:
        return arrays.normal(seed, *shape)
    return 0.5 + 0.45 * arrays.spread(seed, *shape)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.15])
@pytest.mark.parametrize("shape", [(1,), (10,), (33,), (5, 7), (3, 4, 5)])
def test_cases(shape, from_logits, label_smoothing):
    attributes = {"from_logits": from_logits, "label_smoothing": label_smoothing}
    y_pred = predictions(from_logits, 1, 33, *shape)
    y_true = arrays.labels(2, 2, 33, *shape).astype(np.float32)
    check_op(NAME, [y_pred, y_true], attributes)


@given(
    from_logits=st.booleans(),
    shape=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    smoothing=st.sampled_from([0.0, 0.1]),
    batch=st.integers(1, 35),
)
def test_drawn(from_logits, shape, smoothing, batch):
    y_pred = predictions(from_logits, batch, batch, *shape)
    y_true = 0.5 + 0.5 * arrays.spread(batch + 1, batch, *shape)
    attributes = {"from_logits": from_logits, "label_smoothing": smoothing}
    check_op(NAME, [y_pred, y_true], attributes, batches=[batch], coordinates=100)


def test_huge_logits_stay_finite():
    y_pred = np.array([[1e4], [-1e4], [1e4], [-1e30]], np.float32)
    y_true = np.array([[1], [0], [0], [1]], np.float32)
    for isa in isas():
        y = run_op(NAME, [y_pred, y_true], {"from_logits": True}, isa=isa)
        np.testing.assert_allclose(y, [0, 0, 1e4, 1e30], rtol=1e-6)


def test_certain_and_wrong_is_clipped():
    y_pred = np.array([[0], [1], [0], [1]], np.float32)
    y_true = np.array([[0], [1], [1], [0]], np.float32)
    # 1 - 1e-7 is 1 - 2^-23 in float32, as it is for Keras.
    certain, wrong = 2.0**-23, -np.log(2.0**-23)
    for isa in isas():
        y = run_op(NAME, [y_pred, y_true], {"from_logits": False}, isa=isa)
        np.testing.assert_allclose(y[1:], [certain, -np.log(1e-7), wrong], rtol=1e-5)
        assert 0.9e-7 < y[0] < 1.3e-7
