# SPDX-License-Identifier: Apache-2.0
"""upsample_nearest: cells repeated along one to three axes; gradients are sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import run_op

CASES = [
    ((3, 4, 5), [2, 2]),
    ((3, 4, 1), [2, 2]),
    ((3, 4, 2), [1, 3]),
    ((3, 5, 3), [1, 1]),
    ((2, 3, 17), [3, 2]),
    ((7, 2), [4]),
    ((9, 1), [5]),
    ((2, 3, 2, 4), [2, 1, 3]),
    ((2, 2, 2, 1), [2, 2, 2]),
]


@pytest.mark.parametrize(("shape", "size"), CASES)
def test_cases(shape, size):
    check_op("upsample_nearest", [arrays.normal(1, 33, *shape)], {"size": size})


@given(
    sizes=st.lists(
        st.tuples(st.integers(1, 6), st.integers(1, 4)), min_size=1, max_size=3
    ),
    channels=st.integers(1, 20),
    batch=st.sampled_from([1, 2, 16, 21]),
)
def test_drawn(sizes, channels, batch):
    x = arrays.normal(batch, batch, *(n for n, _ in sizes), channels)
    attributes = {"size": [m for _, m in sizes]}
    check_op("upsample_nearest", [x], attributes, batches=[batch], coordinates=60)


@pytest.mark.parametrize(
    ("shape", "size", "complaint"),
    [
        ((4, 4, 2), [2], "expected 3-D input"),
        ((4, 2), [2, 2], "expected 4-D input"),
        ((4, 2), [0], "at least 1"),
        ((4, 2), [2**62], "63 bits"),
        ((4, 2), [2**30], "16777216 cells"),
        ((4, 2), [], "1 to 3 numbers"),
    ],
)
def test_wrong(shape, size, complaint):
    with pytest.raises(ValueError, match=complaint):
        run_op("upsample_nearest", [np.zeros((1, *shape), np.float32)], {"size": size})
