# SPDX-License-Identifier: Apache-2.0
"""max_pool3d: the largest value of windows of a volume."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import gradients_of, isas, run_op

# shape of a volume, pool, strides, padding
CASES = {
    "halves": ((4, 6, 8, 5), (2, 2, 2), (2, 2, 2), "valid"),
    "rest is left out": ((5, 7, 3, 3), (2, 2, 2), (2, 2, 2), "valid"),
    "same": ((5, 7, 3, 3), (2, 2, 2), (2, 2, 2), "same"),
    "overlap": ((5, 4, 6, 4), (3, 3, 3), (2, 1, 2), "same"),
    "skips cells": ((7, 5, 6, 2), (1, 2, 1), (3, 4, 2), "valid"),
    "whole volume": ((3, 4, 2, 7), (3, 4, 2), (1, 1, 1), "valid"),
    "larger than the volume": ((2, 1, 3, 4), (4, 5, 4), (1, 2, 1), "same"),
    "one cell": ((1, 1, 1, 1), (1, 1, 1), (1, 1, 1), "valid"),
    "many channels": ((2, 4, 4, 70), (2, 2, 2), (2, 2, 2), "valid"),
    "depth alone": ((6, 3, 3, 2), (3, 1, 1), (3, 1, 1), "valid"),
}


def attributes_of(pool, strides, padding):
    return {"pool_size": list(pool), "strides": list(strides), "padding": padding}


@pytest.mark.parametrize("case", CASES)
def test_cases(case):
    shape, *rest = CASES[case]
    check_op("max_pool3d", [arrays.spread(1, 33, *shape)], attributes_of(*rest))


def test_strides_are_the_pool_unless_given():
    x = arrays.spread(1, 3, 7, 5, 9, 2)
    check_op("max_pool3d", [x], {"pool_size": [3, 2, 4]})


sizes = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))


@given(
    extra=sizes,
    pool=sizes,
    strides=sizes,
    padding=st.sampled_from(["valid", "same"]),
    channels=st.integers(1, 20),
    batch=st.sampled_from([1, 2, 16, 21]),
)
def test_drawn(extra, pool, strides, padding, channels, batch):
    size = [p + e - 1 for p, e in zip(pool, extra, strict=True)]
    x = arrays.spread(batch, batch, *size, channels)
    attributes = attributes_of(pool, strides, padding)
    check_op("max_pool3d", [x], attributes, batches=[batch], coordinates=60)


@pytest.mark.parametrize(
    ("shape", "attributes", "complaint"),
    [
        ((4, 4, 2), {}, "expected 5-D input"),
        ((2, 2, 2, 1), {"pool_size": [3, 1, 1]}, "window larger"),
        ((2, 2, 2, 1), {"padding": "full"}, "'full'"),
        ((2, 2, 2, 1), {"pool_size": [2, 2]}, "expected 3 numbers"),
    ],
)
def test_wrong(shape, attributes, complaint):
    with pytest.raises(ValueError, match=complaint):
        run_op("max_pool3d", [np.zeros((1, *shape), np.float32)], attributes)


def test_the_first_of_equals_gets_the_gradient():
    x = np.zeros((17, 4, 4, 4, 3), np.float32)
    for isa in isas():
        (dx,) = gradients_of("max_pool3d", [x], {}, isa=isa)
        assert (dx[:, ::2, ::2, ::2] != 0).all()
        assert np.count_nonzero(dx) == 17 * 8 * 3
