# SPDX-License-Identifier: Apache-2.0
"""average_pool2d: the mean of the real cells of every window."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import run_op

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
}


def attributes_of(pool, strides, padding):
    return {"pool_size": list(pool), "strides": list(strides), "padding": padding}


@pytest.mark.parametrize("case", CASES)
def test_cases(case):
    shape, *rest = CASES[case]
    check_op("average_pool2d", [arrays.normal(1, 33, *shape)], attributes_of(*rest))


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
    x = arrays.normal(seed, batch, *size, channels)
    attributes = attributes_of(pool, strides, padding)
    check_op("average_pool2d", [x], attributes, batches=[batch], coordinates=100)


@pytest.mark.parametrize("padding", ["same", [2, 1, 0, 2]])
def test_padding_does_not_count(padding):
    x = np.full((16, 5, 7, 6), 3, np.float32)
    y = run_op("average_pool2d", [x], attributes_of((3, 3), (2, 2), padding))
    np.testing.assert_array_equal(y, np.full_like(y, 3))
