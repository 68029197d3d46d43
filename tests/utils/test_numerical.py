# SPDX-License-Identifier: Apache-2.0
"""to_categorical: Keras's results, and errors instead of wrapped-around classes."""

import numpy as np
import pytest

from pronghorn.utils import to_categorical


@pytest.mark.parametrize(
    ("x", "classes", "shape"),
    [
        ([0, 1, 2], None, (3, 3)),
        ([[0], [1], [3]], None, (3, 4)),
        ([[0, 1], [2, 1]], 5, (2, 2, 5)),
        ([[[1]]], 2, (1, 1, 2)),
        (2, 4, (4,)),
        ([], 3, (0, 3)),
        ([1.0, 0.0], None, (2, 2)),
        ([True, False], None, (2, 2)),
    ],
)
def test_shapes_and_ones(x, classes, shape):
    got = to_categorical(x, classes)
    assert got.shape == shape
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got.sum(axis=-1), 1)
    if got.size:
        np.testing.assert_array_equal(got.argmax(axis=-1).ravel(), np.ravel(x))


@pytest.mark.parametrize(
    ("x", "classes", "message"),
    [
        ([0, 3], 3, "from 0 to 2, got 3"),
        ([0, -1], 3, "from 0 to 2, got -1"),
        ([-1], None, "got -1"),
        ([0.5], 2, "fractions"),
        ([float("nan")], 2, "fractions"),
        (["1"], 2, "expected integer classes"),
        ([1j], 2, "expected integer classes"),
        ([], None, "`num_classes` is needed"),
    ],
)
def test_errors(x, classes, message):
    with pytest.raises(ValueError, match=message):
        to_categorical(x, classes)
