# SPDX-License-Identifier: Apache-2.0
"""row_loss: every kind, with target rows or with class numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import gradients_of, run_op

NAME = "row_loss"
KINDS = {
    "categorical_hinge": ("numbers", "one hot", {}),
    "cosine_similarity": ("numbers", "numbers", {}),
    "categorical_focal_crossentropy": ("shares", "one hot", {"gamma": 1.5}),
    "multiclass_hinge": ("numbers", "labels", {"margin": 0.8}),
    "categorical_generalized_cross_entropy": ("shares", "labels", {"q": 0.3}),
}


def draw(what, seed, *shape):
    if what == "numbers":
        return arrays.normal(seed, *shape)
    if what == "shares":
        return arrays.probabilities(seed, *shape)
    labels = arrays.labels(seed, shape[-1], *shape[:-1])
    return labels if what == "labels" else np.eye(shape[-1], dtype=np.float32)[labels]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(2,), (33,), (5, 7), (3, 4, 5)])
def test_cases(shape, kind):
    predictions, targets, attributes = KINDS[kind]
    x, y = draw(predictions, 1, 33, *shape), draw(targets, 2, 33, *shape)
    check_op(NAME, [x, y], {"kind": kind, **attributes})


@given(
    kind=st.sampled_from(sorted(KINDS)),
    rows=st.lists(st.integers(1, 6), max_size=2),
    size=st.integers(2, 40),
    batch=st.integers(1, 35),
)
def test_drawn(kind, rows, size, batch):
    predictions, targets, attributes = KINDS[kind]
    x = draw(predictions, batch, batch, *rows, size)
    y = draw(targets, batch + 1, batch, *rows, size)
    attributes = {"kind": kind, **attributes}
    check_op(NAME, [x, y], attributes, batches=[batch], coordinates=100)


def test_focal_from_logits():
    x, y = draw("numbers", 1, 33, 4, 6), draw("one hot", 2, 33, 4, 6)
    attributes = {"from_logits": True, "alpha": 0.6, "label_smoothing": 0.1}
    check_op(NAME, [x, y], {"kind": "categorical_focal_crossentropy", **attributes})


@pytest.mark.parametrize("predictions", ["numbers", "shares"])
def test_focal_with_a_factor_for_each_class(predictions):
    x, y = draw(predictions, 1, 33, 4, 3), draw("one hot", 2, 33, 4, 3)
    attributes = {"from_logits": predictions == "numbers", "alpha": [0.1, 0.5, 1.5]}
    kind = {"kind": "categorical_focal_crossentropy"}
    check_op(NAME, [x, y], kind | attributes)
    with pytest.raises(ValueError, match="one for each class, got 3"):
        run_op(NAME, [x[..., :2], y[..., :2]], kind | attributes)


def test_multiclass_hinge_of_the_lecture():
    """The cat, the car and the frog of CS231n."""
    scores = np.array([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]], np.float32)
    inputs = [scores, np.array([0, 1, 2], np.int32)]
    attributes = {"kind": "multiclass_hinge"}
    np.testing.assert_allclose(
        run_op(NAME, inputs, attributes), [2.9, 0, 12.9], rtol=1e-6
    )
    (gradient,) = gradients_of(NAME, inputs, attributes, loss=True)
    np.testing.assert_array_equal(gradient, [[-1, 1, 0], [0, 0, 0], [1, 1, -2]])
