# SPDX-License-Identifier: Apache-2.0
"""activation: relu, tanh, sigmoid, on values from tiny to saturated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import REFERENCES, arrays, check_op
from pronghorn.testing.running import isas, run_op

KINDS = ["relu", "tanh", "sigmoid"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 20.0])
@pytest.mark.parametrize("shape", [(1,), (33,), (5, 7, 3), (2, 3, 4, 5)])
def test_cases(kind, scale, shape):
    check_op("activation", [arrays.spread(1, 33, *shape, scale=scale)], {"kind": kind})


@given(
    kind=st.sampled_from(KINDS),
    shape=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    batch=st.integers(1, 40),
)
def test_drawn(kind, shape, batch):
    x = arrays.spread(batch, batch, *shape, scale=4)
    check_op("activation", [x], {"kind": kind}, batches=[batch], coordinates=100)


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_range_of_float32(kind):
    exponents = np.arange(-149, 128, dtype=np.float64)
    x = np.concatenate([2.0**exponents, -(2.0**exponents), [0.0, np.inf, -np.inf]])
    x = x.astype(np.float32)[None]
    expected = REFERENCES["activation"].forward([x.astype(np.float64)], {"kind": kind})
    for isa in isas():
        y = run_op("activation", [x], {"kind": kind}, isa=isa)
        # Values below the smallest normal number may be flushed to zero.
        np.testing.assert_allclose(y, expected, rtol=5e-7, atol=2e-38, err_msg=isa)
