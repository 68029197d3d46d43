# SPDX-License-Identifier: Apache-2.0
"""relu: Keras's layer with a slope below, a threshold and a ceiling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import isas, run_op


@pytest.mark.parametrize(
    "attributes",
    [
        {"negative_slope": 0.0, "threshold": 0.0, "max_value": np.inf},
        {"negative_slope": 0.3, "threshold": 0.0, "max_value": np.inf},
        {"negative_slope": 0.0, "threshold": 0.5003, "max_value": np.inf},
        {"negative_slope": 0.0, "threshold": 0.0, "max_value": 1.5003},
        {"negative_slope": 0.2, "threshold": 0.5003, "max_value": 1.5003},
    ],
)
@pytest.mark.parametrize("shape", [(1,), (33,), (5, 7, 3)])
def test_cases(attributes, shape):
    check_op("relu", [arrays.spread(1, 33, *shape, scale=3)], attributes)


@given(
    slope=st.floats(0, 1, width=32),
    threshold=st.sampled_from([0.0, 0.3003]),
    ceiling=st.sampled_from([1.0003, np.inf]),
    width=st.integers(1, 70),
    batch=st.integers(1, 20),
)
def test_drawn(slope, threshold, ceiling, width, batch):
    x = arrays.spread(batch, batch, width, scale=2)
    attributes = {"negative_slope": slope, "threshold": threshold, "max_value": ceiling}
    check_op("relu", [x], attributes, batches=[batch])


def test_at_the_bends():
    x = np.array([[-1, 0, 0.5, 1, 6, 7]], np.float32)
    attributes = {"negative_slope": 0.5, "threshold": 0.5, "max_value": 6.0}
    for isa in isas():
        y = run_op("relu", [x], attributes, isa=isa)
        np.testing.assert_array_equal(y, [[-0.75, -0.25, 0.5 * 0, 1, 6, 6]])


@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_infinities(threshold):
    """A slope of 0 gives 0 below the threshold, however far."""
    x = np.array([[-np.inf, np.inf, np.nan]], np.float32)
    attributes = {"negative_slope": 0.0, "threshold": threshold, "max_value": 6.0}
    for isa in isas():
        y = run_op("relu", [x], attributes, isa=isa)
        np.testing.assert_array_equal(y, [[0, 6, np.nan]])
    leaky = {"negative_slope": 0.5, "threshold": threshold, "max_value": np.inf}
    np.testing.assert_array_equal(run_op("relu", [x], leaky), x)
