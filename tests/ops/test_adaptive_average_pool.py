# SPDX-License-Identifier: Apache-2.0
"""adaptive_average_pool: the mean of windows made for an output size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import run_op

# shape of an image, output size
CASES = {
    "halves": ((8, 6, 5), [4, 3]),
    "overlapping windows": ((7, 5, 3), [3, 4]),
    "larger than the image": ((3, 2, 4), [5, 7]),
    "as it is": ((4, 3, 6), [4, 3]),
    "one cell": ((5, 4, 17), [1, 1]),
    "sequence": ((11, 2), [4]),
    "long sequence, one channel": ((301, 1), [7]),
    "volume": ((5, 4, 6, 3), [2, 3, 4]),
    "volume, some axes": ((5, 4, 6, 2), [5, 1, 8]),
    "many channels": ((7, 7, 70), [3, 3]),
}


@pytest.mark.parametrize("case", CASES)
def test_cases(case):
    shape, size = CASES[case]
    x = arrays.normal(1, 33, *shape)
    check_op("adaptive_average_pool", [x], {"output_size": size})


@given(
    sizes=st.lists(
        st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=3
    ),
    channels=st.integers(1, 20),
    batch=st.sampled_from([1, 2, 16, 21]),
)
def test_drawn(sizes, channels, batch):
    x = arrays.normal(batch, batch, *(n for n, _ in sizes), channels)
    attributes = {"output_size": [m for _, m in sizes]}
    check_op("adaptive_average_pool", [x], attributes, batches=[batch], coordinates=60)


@pytest.mark.parametrize(
    ("shape", "size", "complaint"),
    [
        ((4, 4, 2), [2], "expected 3-D input"),
        ((4, 2), [2, 2], "expected 4-D input"),
        ((4, 2), [0], "at least 1"),
        ((4, 2), [2**30], "16777216 cells"),
        ((2, 2, 2, 2, 1), [1, 1, 1, 1], "1 to 3 numbers"),
    ],
)
def test_wrong(shape, size, complaint):
    x = np.zeros((1, *shape), np.float32)
    with pytest.raises(ValueError, match=complaint):
        run_op("adaptive_average_pool", [x], {"output_size": size})
