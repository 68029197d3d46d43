# SPDX-License-Identifier: Apache-2.0
"""sparsemax along every axis, against its definition with a sort."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import isas, run_op


@pytest.mark.parametrize("scale", [0.1, 1.0, 20.0])
@pytest.mark.parametrize(
    ("shape", "axis"), [((1,), -1), ((10,), -1), ((70,), 1), ((5, 7, 3), 2)]
)
def test_cases(shape, axis, scale):
    x = arrays.spread(1, 17, *shape, scale=scale)
    check_op("sparsemax", [x], {"axis": axis})


@given(width=st.integers(1, 80), rows=st.integers(1, 5), batch=st.integers(1, 20))
def test_drawn(width, rows, batch):
    x = arrays.spread(batch, batch, rows, width, scale=1.7)
    check_op("sparsemax", [x], batches=[batch], coordinates=60)


def test_equal_values_share():
    x = np.array([[3, 3, 3, 3, 0], [1e6, 1e6, 0, 0, 0]], np.float32)
    for isa in isas():
        y = run_op("sparsemax", [x], isa=isa)
        expected = [[0.25, 0.25, 0.25, 0.25, 0], [0.5, 0.5, 0, 0, 0]]
        np.testing.assert_array_equal(y, expected, err_msg=isa)
