# SPDX-License-Identifier: Apache-2.0
"""unit_norm: vectors of length 1; nothing stays nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import gradients_of, isas, run_op


@pytest.mark.parametrize("shape", [(9,), (70,), (5, 4, 6)])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_shapes(shape, axes):
    if axes > len(shape):
        return
    x = arrays.normal(1, 17, *shape)
    check_op("unit_norm", [x], {"axes": list(range(-axes, 0))}, coordinates=60)


@given(size=st.integers(2, 90), batch=st.integers(1, 20))
def test_drawn(size, batch):
    x = arrays.normal(batch, batch, 3, size)
    check_op("unit_norm", [x], batches=[batch], coordinates=30)


def test_zeros():
    x = np.zeros((2, 5), np.float32)
    for isa in isas():
        np.testing.assert_array_equal(run_op("unit_norm", [x], isa=isa), x)
        (slope,) = gradients_of("unit_norm", [x], isa=isa)
        np.testing.assert_allclose(slope, 1e12, rtol=1e-6)
