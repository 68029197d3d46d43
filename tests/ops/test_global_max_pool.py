# SPDX-License-Identifier: Apache-2.0
"""global_max_pool: the largest value over sequences, images and volumes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import gradients_of, isas, run_op

SHAPES = [
    (1, 1, 1), (9, 1), (7, 5, 3), (4, 4, 64), (31, 33, 5), (3, 2, 5, 7),
    (2, 3, 2, 2, 4), (5, 5, 700),
]  # fmt: skip


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_cases(shape, keepdims):
    x = arrays.spread(1, 33, *shape)
    check_op("global_max_pool", [x], {"keepdims": keepdims})


@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    channels=st.integers(1, 40),
    keepdims=st.booleans(),
    batch=st.integers(1, 35),
)
def test_drawn(shape, channels, keepdims, batch):
    x = arrays.spread(batch, batch, *shape, channels)
    attributes = {"keepdims": keepdims}
    check_op("global_max_pool", [x], attributes, batches=[batch], coordinates=100)


def test_the_first_of_equals_gets_the_gradient():
    x = np.zeros((17, 3, 4, 5), np.float32)
    for isa in isas():
        (dx,) = gradients_of("global_max_pool", [x], {}, isa=isa)
        assert (dx[:, 0, 0] != 0).all()
        assert not dx[:, 1:].any()
        assert not dx[:, :, 1:].any()


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 8, 16])
@pytest.mark.parametrize("cells", [4, 63, 64, 200, 331])
def test_the_first_of_equals_wins_wherever_it_is(cells, channels):
    """Of few channels, vectors hold several cells."""
    x = np.zeros((7, cells, channels), np.float32)
    first = np.random.default_rng(cells).integers(0, cells, (7, channels))
    rows, columns = np.indices(first.shape)
    for later in (cells, cells // 2):  # the same value again behind the first
        x[rows, np.maximum(first, later - 1), columns] = 2
    x[rows, first, columns] = 2
    x[3, min(cells - 1, 70) :, 0] = np.nan
    expected = np.where(np.isnan(x).any(1), np.isnan(x).argmax(1), x.argmax(1))
    for isa in isas():
        (dx,) = gradients_of("global_max_pool", [np.nan_to_num(x, nan=3)], {}, isa=isa)
        assert (np.count_nonzero(dx, axis=1) == 1).all()
        np.testing.assert_array_equal((dx != 0).argmax(1), expected)
        y = run_op("global_max_pool", [x], isa=isa)
        np.testing.assert_array_equal(y, x.max(axis=1))
