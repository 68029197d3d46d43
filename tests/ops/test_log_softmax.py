# SPDX-License-Identifier: Apache-2.0
"""log_softmax along every axis."""

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
    check_op("log_softmax", [x], {"axis": axis})


@given(width=st.integers(1, 80), rows=st.integers(1, 5), batch=st.integers(1, 20))
def test_drawn(width, rows, batch):
    x = arrays.spread(batch, batch, rows, width, scale=4)
    check_op("log_softmax", [x], batches=[batch], coordinates=60)


def test_far_values_do_not_overflow():
    x = np.array([[1e30, 0, -1e30], [-500, -500, 0]], np.float32)
    expected = [[0, -1e30, -2e30], [-500, -500, 0]]
    for isa in isas():
        y = run_op("log_softmax", [x], isa=isa)
        np.testing.assert_allclose(y, expected, err_msg=isa)
