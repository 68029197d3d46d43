# SPDX-License-Identifier: Apache-2.0
"""ctc_loss: labels of all lengths, repetitions, and labels that are too long."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import gradients_of, run_op

NAME = "ctc_loss"


def sequences(seed, batch, length, classes):
    """Labels of 0 to `length` classes, zeros behind."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(1, classes, (batch, length))
    sizes = rng.integers(0, length + 1, (batch, 1))
    return np.where(np.arange(length) < sizes, labels, 0).astype(np.int32)


@pytest.mark.parametrize(
    ("frames", "classes", "length"), [(1, 2, 1), (5, 3, 2), (9, 4, 3), (20, 11, 7)]
)
def test_cases(frames, classes, length):
    x = arrays.normal(1, 33, frames, classes)
    check_op(NAME, [x, sequences(2, 33, length, classes)], {})


@given(
    frames=st.integers(1, 12),
    classes=st.integers(2, 9),
    length=st.integers(1, 6),
    batch=st.integers(1, 35),
)
def test_drawn(frames, classes, length, batch):
    x = arrays.normal(batch, batch, frames, classes)
    # Shorter than the frames, with room for repetitions: what is impossible costs 1e5,
    # which leaves float32 no digits for differences.
    y = sequences(batch, batch, length, classes)[:, : (frames + 1) // 2]
    check_op(NAME, [x, y], {}, batches=[batch], coordinates=100)


def spelt(path):
    kept = [one for one, _ in itertools.groupby(path)]
    return tuple(one for one in kept if one)


@pytest.mark.parametrize("labels", [(), (1,), (2, 1), (1, 1), (2, 2, 1)])
def test_is_the_sum_over_all_paths(labels):
    x = arrays.normal(3, 1, 5, 3)
    p = np.exp(x[0].astype(float))
    p /= p.sum(axis=-1, keepdims=True)
    paths = [
        path for path in itertools.product(range(3), repeat=5) if spelt(path) == labels
    ]
    total = sum(np.prod([p[t, one] for t, one in enumerate(path)]) for path in paths)
    row = np.zeros((1, 4), np.int32)
    row[0, : len(labels)] = labels
    found = run_op(NAME, [x, row], {})
    np.testing.assert_allclose(found, [-np.log(total)], rtol=1e-5)


def test_a_label_that_is_too_long_stays_finite():
    x, y = arrays.normal(1, 2, 3, 4), np.array([[1, 2, 3, 1], [1, 1, 1, 0]], np.int32)
    found = run_op(NAME, [x, y], {})
    assert (found > 9e4).all()
    (gradient,) = gradients_of(NAME, [x, y], {}, loss=True)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("shape", "labels"),
    [((33, 4), (33, 2)), ((33, 4, 3), (33,)), ((33, 4, 3), (33, 1, 1))],
)
def test_other_shapes_are_refused(shape, labels):
    with pytest.raises(ValueError, match="ctc_loss"):
        run_op(NAME, [arrays.normal(1, *shape), np.ones(labels, np.int32)], {})
