# SPDX-License-Identifier: Apache-2.0
"""pointwise_loss: every kind, any shape."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op

NAME = "pointwise_loss"
# What the predictions and the targets are, and attributes.
KINDS = {
    "huber": ("numbers", "numbers", {"delta": 0.7}),
    "log_cosh": ("numbers", "numbers", {}),
    "hinge": ("numbers", "signs", {}),
    "squared_hinge": ("numbers", "bits", {}),
    "poisson": ("shares", "shares", {}),
    "kl_divergence": ("shares", "shares", {}),
    "mean_squared_logarithmic_error": ("shares", "numbers", {}),
    "mean_absolute_percentage_error": ("numbers", "signs", {}),
    "contrastive": ("shares", "bits", {"margin": 0.6}),
    "binary_focal_crossentropy": ("shares", "bits", {"gamma": 1.5}),
}


def draw(what, seed, *shape):
    normal = arrays.normal(seed, *shape)
    if what == "numbers":
        return normal
    if what == "signs":
        return np.sign(normal)
    if what == "bits":
        return (normal > 0).astype(np.float32)
    return (0.05 + 0.9 / (1 + np.exp(-normal))).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1,), (33,), (5, 7), (3, 4, 5)])
def test_cases(shape, kind):
    predictions, targets, attributes = KINDS[kind]
    x, y = draw(predictions, 1, 33, *shape), draw(targets, 2, 33, *shape)
    check_op(NAME, [x, y], {"kind": kind, **attributes})


@given(
    kind=st.sampled_from(sorted(KINDS)),
    rows=st.lists(st.integers(1, 6), max_size=2),
    size=st.integers(1, 40),
    batch=st.integers(1, 35),
)
def test_drawn(kind, rows, size, batch):
    predictions, targets, attributes = KINDS[kind]
    x = draw(predictions, batch, batch, *rows, size)
    y = draw(targets, batch + 1, batch, *rows, size)
    attributes = {"kind": kind, **attributes}
    check_op(NAME, [x, y], attributes, batches=[batch], coordinates=100)


@pytest.mark.parametrize(
    "attributes",
    [
        {"from_logits": True},
        {"from_logits": True, "label_smoothing": 0.2, "gamma": 0.0},
        {"apply_class_balancing": True, "alpha": 0.7, "gamma": 3.0},
    ],
)
def test_focal(attributes):
    what = "numbers" if attributes.get("from_logits") else "shares"
    x, y = draw(what, 1, 33, 5, 3), draw("bits", 2, 33, 5, 3)
    check_op(NAME, [x, y], {"kind": "binary_focal_crossentropy", **attributes})
