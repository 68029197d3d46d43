# SPDX-License-Identifier: Apache-2.0
"""circle_loss: batches with and without embeddings that have no partner."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op
from pronghorn.testing.references.losses import circle_loss
from pronghorn.testing.running import gradients_of, run_op

NAME = "circle_loss"


def embeddings(seed, batch, size, length=0.9):
    """Not of length 1: where a distance is 0 there is a kink."""
    x = arrays.normal(seed, batch, size)
    return length * x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("size", [2, 5, 64])
@pytest.mark.parametrize(
    "attributes",
    [
        {"gamma": 4.0},
        {"gamma": 2.0, "margin": 0.25, "rescale": False},
        {"gamma": 3.0, "remove_diagonal": False},
    ],
)
def test_cases(size, attributes):
    labels = arrays.labels(2, 9, 33)
    check_op(NAME, [embeddings(1, 33, size), labels], attributes)


@given(
    size=st.integers(2, 20),
    batch=st.integers(2, 35),
    classes=st.integers(1, 40),
    gamma=st.floats(0.5, 10),
    margin=st.floats(0.05, 0.45),
)
def test_drawn(size, batch, classes, gamma, margin):
    inputs = [embeddings(size, batch, size), arrays.labels(batch, classes, batch)]
    attributes = {"gamma": gamma, "margin": margin}
    check_op(NAME, inputs, attributes, batches=[batch], coordinates=100)


@pytest.mark.parametrize("length", [1.0, 1.4])
@pytest.mark.parametrize("attributes", [{}, {"remove_diagonal": False}])
def test_distances_of_0_and_weights_of_0(length, attributes):
    x, y = embeddings(3, 29, 2, length), arrays.labels(4, 5, 29)
    expected = circle_loss([x.astype(float), y], attributes)
    np.testing.assert_allclose(run_op(NAME, [x, y], attributes), expected, rtol=1e-5)


def test_without_pairs_there_is_no_loss():
    x, y = embeddings(3, 6, 4), np.arange(6, dtype=np.int32)
    for labels in (y, 0 * y):
        np.testing.assert_array_equal(run_op(NAME, [x, labels], {}), 0)
        (gradient,) = gradients_of(NAME, [x, labels], {}, loss=True)
        np.testing.assert_array_equal(gradient, 0)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="circle_loss"):
        run_op(NAME, [arrays.normal(1, 33, 4, 3), arrays.labels(1, 3, 33)], {})
