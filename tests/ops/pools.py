# SPDX-License-Identifier: Apache-2.0
"""What tests of pools of volumes have in common, and of pools to an output size."""

import numpy as np
import pytest
from hypothesis import strategies as st

from pronghorn.testing import check_op
from pronghorn.testing.running import run_op

# shape of a volume, pool, strides, padding
VOLUMES = {
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
    "planes of 256 cells": ((2, 17, 16, 3), (2, 16, 16), (1, 1, 1), "valid"),
    "256 planes": ((257, 2, 1, 3), (256, 2, 1), (1, 1, 1), "valid"),
}

# shape, attributes, complaint
WRONG_VOLUMES = [
    ((4, 4, 2), {}, "expected 5-D input"),
    ((2, 2, 2, 1), {"pool_size": [3, 1, 1]}, "window larger"),
    ((2, 2, 2, 1), {"padding": "full"}, "'full'"),
    ((2, 2, 2, 1), {"pool_size": [2, 2]}, "expected 3 numbers"),
]

# shape of an image, output size
OUTPUT_SIZES = {
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

# shape, output size, complaint
WRONG_OUTPUT_SIZES = [
    ((4, 4, 2), [2], "expected 3-D input"),
    ((4, 2), [2, 2], "expected 4-D input"),
    ((4, 2), [0], "at least 1"),
    ((4, 2), [2**30], "16777216 cells"),
    ((2, 2, 2, 2, 1), [1, 1, 1, 1], "1 to 3 numbers"),
]


def attributes_of(pool, strides, padding):
    return {"pool_size": list(pool), "strides": list(strides), "padding": padding}


def check_drawn(op, x, attributes):
    """The op on a drawn batch."""
    check_op(op, [x], attributes, batches=[len(x)], coordinates=60)


def check_refused(op, shape, attributes, complaint):
    with pytest.raises(ValueError, match=complaint):
        run_op(op, [np.zeros((1, *shape), np.float32)], attributes)


BATCHES = st.sampled_from([1, 2, 16, 21])
CHANNELS = st.integers(1, 20)


@st.composite
def volumes(draw):
    """Shape of a batch of volumes, and attributes of a pool that fits."""
    sizes = st.tuples(*[st.integers(1, 3)] * 3)
    pool, extra = draw(sizes), draw(sizes)
    size = [p + e - 1 for p, e in zip(pool, extra, strict=True)]
    padding = draw(st.sampled_from(["valid", "same"]))
    shape = (draw(BATCHES), *size, draw(CHANNELS))
    return shape, attributes_of(pool, draw(sizes), padding)


@st.composite
def output_sizes(draw):
    """Shape of a batch of one to three axes, and attributes of an adaptive pool."""
    pairs = st.tuples(st.integers(1, 9), st.integers(1, 9))
    sizes = draw(st.lists(pairs, min_size=1, max_size=3))
    shape = (draw(BATCHES), *(n for n, _ in sizes), draw(CHANNELS))
    return shape, {"output_size": [m for _, m in sizes]}
