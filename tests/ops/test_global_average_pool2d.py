# SPDX-License-Identifier: Apache-2.0
"""global_average_pool2d: the mean over height and width."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 5, 3), (4, 4, 64), (31, 33, 5)])
def test_cases(shape, keepdims):
    x = arrays.normal(1, 33, *shape)
    check_op("global_average_pool2d", [x], {"keepdims": keepdims})


@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 40)),
    keepdims=st.booleans(),
    batch=st.integers(1, 35),
)
def test_drawn(shape, keepdims, batch):
    x = arrays.normal(batch, batch, *shape)
    attributes = {"keepdims": keepdims}
    check_op("global_average_pool2d", [x], attributes, batches=[batch])
