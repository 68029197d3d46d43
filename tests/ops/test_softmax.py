# SPDX-License-Identifier: Apache-2.0
"""softmax: rows of any length along any axis, and rows with infinities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import isas, run_op


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((10,), -1),
        ((1,), -1),
        ((2,), 1),
        ((1000,), -1),
        ((4, 7), -1),
        ((4, 7), 1),
        ((3, 5, 6), 2),
        ((3, 5, 17), 3),
        ((3, 5, 17), 1),
    ],
)
@pytest.mark.parametrize("scale", [0.1, 8])
def test_cases(shape, axis, scale):
    x = scale * arrays.normal(1, 33, *shape)
    check_op("softmax", [x], {"axis": axis})


@given(
    shape=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    last=st.booleans(),
    batch=st.integers(1, 35),
)
def test_drawn(shape, last, batch):
    x = 3 * arrays.normal(batch, batch, *shape)
    axis = -1 if last else 1
    check_op("softmax", [x], {"axis": axis}, batches=[batch], coordinates=100)


@pytest.mark.parametrize("width", [1, 3, 8, 16, 17, 33])
def test_rows_sum_to_one_whatever_their_size(width):
    for scale in (1e-30, 1, 100, 1e30):
        for isa in isas():
            y = run_op("softmax", [scale * arrays.normal(3, 9, width)], isa=isa)
            assert np.abs(y.sum(axis=-1, dtype=np.float64) - 1).max() <= width * 2.4e-7


def test_infinite_rows():
    inf, nan = np.inf, np.nan
    x = np.array(
        [[inf, 0, 0], [-inf] * 3, [-inf, 0, 0], [1e38, -1e38, 0], [nan, 1, 2]],
        np.float32,
    )
    expected = [[nan] * 3, [nan] * 3, [0, 0.5, 0.5], [1, 0, 0], [nan] * 3]
    for isa in isas():
        np.testing.assert_array_equal(run_op("softmax", [x], isa=isa), expected)
