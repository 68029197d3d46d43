# SPDX-License-Identifier: Apache-2.0
"""max_pool2d: windows that overlap, miss cells or reach over the edge."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import gradients_of, run_op

# shape of an image, pool, strides, padding
CASES = {
    "halves": ((8, 6, 5), (2, 2), (2, 2), "valid"),
    "rest is left out": ((9, 7, 3), (2, 2), (2, 2), "valid"),
    "same": ((9, 7, 3), (2, 2), (2, 2), "same"),
    "overlap": ((7, 8, 4), (3, 3), (2, 2), "same"),
    "overlap a lot": ((6, 6, 2), (4, 3), (1, 1), "valid"),
    "skips cells": ((9, 9, 17), (2, 1), (3, 4), "valid"),
    "whole image": ((4, 5, 7), (4, 5), (1, 1), "valid"),
    "larger than the image": ((2, 3, 4), (5, 4), (1, 2), "same"),
    "explicit": ((6, 7, 3), (3, 4), (2, 2), [1, 2, 0, 3]),
    "one cell": ((1, 1, 1), (1, 1), (1, 1), "valid"),
    "many channels": ((4, 4, 70), (2, 2), (2, 2), "valid"),
    "LeNet": ((28, 28, 6), (2, 2), (2, 2), "valid"),
    "255 cells": ((16, 18, 3), (15, 17), (1, 1), "valid"),
    "256 cells": ((17, 18, 3), (16, 16), (1, 2), "valid"),
    "256 cells side by side": ((17, 32, 5), (16, 16), (16, 16), "same"),
}


def attributes_of(pool, strides, padding):
    return {"pool_size": list(pool), "strides": list(strides), "padding": padding}


@pytest.mark.parametrize("case", CASES)
def test_cases(case):
    shape, *rest = CASES[case]
    x = arrays.spread(1, 33, *shape)
    check_op("max_pool2d", [x], attributes_of(*rest))


def test_strides_are_the_pool_unless_given():
    check_op("max_pool2d", [arrays.spread(1, 3, 9, 9, 2)], {"pool_size": [3, 2]})


sizes = st.tuples(st.integers(1, 4), st.integers(1, 4))


@given(
    extra=sizes,
    pool=sizes,
    strides=sizes,
    padding=st.sampled_from(["valid", "same"]),
    channels=st.integers(1, 40),
    batch=st.sampled_from([1, 2, 16, 21]),
    seed=st.integers(0, 1000),
)
def test_drawn(extra, pool, strides, padding, channels, batch, seed):
    size = [p + e - 1 for p, e in zip(pool, extra, strict=True)]
    x = arrays.spread(seed, batch, *size, channels)
    attributes = attributes_of(pool, strides, padding)
    check_op("max_pool2d", [x], attributes, batches=[batch], coordinates=100)


def test_equal_values_share_nothing():
    """One cell of every window gets the whole gradient, the same on every machine."""
    x = np.zeros((16, 4, 4, 3), np.float32)
    attributes = attributes_of((2, 2), (2, 2), "valid")
    found = {
        isa: gradients_of("max_pool2d", [x], attributes, isa=isa)[0]
        for isa in ("baseline", "")
    }
    np.testing.assert_array_equal(found["baseline"], found[""])
    assert (np.count_nonzero(found[""], axis=(1, 2)) == 4).all()


def test_all_cells_below_every_padding_value():
    x = np.full((16, 3, 3, 2), -np.finfo(np.float32).max)
    y = run_op("max_pool2d", [x], attributes_of((2, 2), (1, 1), "same"))
    np.testing.assert_array_equal(y, x)
