# SPDX-License-Identifier: Apache-2.0
"""global_average_pool: the mean over sequences, images and volumes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op

SHAPES = [
    (1, 1, 1), (9, 1), (7, 5, 3), (4, 4, 64), (31, 33, 5), (3, 2, 5, 7),
    (2, 3, 2, 2, 4), (5, 5, 700),
]  # fmt: skip


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_cases(shape, keepdims):
    x = arrays.normal(1, 33, *shape)
    check_op("global_average_pool", [x], {"keepdims": keepdims})


@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    channels=st.integers(1, 40),
    keepdims=st.booleans(),
    batch=st.integers(1, 35),
)
def test_drawn(shape, channels, keepdims, batch):
    x = arrays.normal(batch, batch, *shape, channels)
    attributes = {"keepdims": keepdims}
    check_op("global_average_pool", [x], attributes, batches=[batch], coordinates=100)
