# SPDX-License-Identifier: Apache-2.0
"""Ops that cut a few large images into pieces; convolutions are in test_conv2d.py."""

import numpy as np
import pytest

from pronghorn.testing import arrays, check_op

SAME = {"padding": "same"}
# op, (height, width, channels), attributes, shape of weights
CASES = {
    "max": ("max_pool2d", (53, 61, 40), {"pool_size": [2, 2]}, None),
    "overlapping max": (
        "max_pool2d", (57, 59, 33), {"pool_size": [3, 3], "strides": [2, 2], **SAME},
        None),
    "side by side": (
        "max_pool2d", (59, 61, 35),
        {"pool_size": [3, 2], "strides": [3, 2], "padding": [2, 1, 1, 0]}, None),
    "average, side by side": (
        "average_pool2d", (58, 57, 36), {"pool_size": [3, 3], **SAME}, None),
    "max of few rows": ("max_pool2d", (11, 400, 26), {"pool_size": [3, 2]}, None),
    "average": (
        "average_pool2d", (55, 58, 36),
        {"pool_size": [3, 2], "strides": [2, 1], "padding": [1, 2, 0, 1]}, None),
    "volumes": ("max_pool3d", (9, 21, 22, 27), {"pool_size": [2, 2, 2]}, None),
    "slices of padding": (
        "max_pool3d", (10, 20, 21, 28), {"pool_size": [3, 2, 3], **SAME}, None),
    "average of volumes": (
        "average_pool3d", (11, 19, 18, 30),
        {"pool_size": [2, 3, 2], "strides": [3, 2, 1], **SAME}, None),
    "volumes that overlap": (
        "max_pool3d", (9, 21, 22, 27), {"pool_size": [3, 2, 2], "strides": [2, 2, 2]},
        None),
    "depthwise": ("depthwise_conv2d", (49, 51, 44), SAME, (3, 3, 44, 1)),
    "depthwise strided": (
        "depthwise_conv2d", (113, 115, 35), {"strides": [2, 2], **SAME}, (5, 3, 35, 1)),
    "tanh": ("activation", (47, 49, 48), {"kind": "tanh"}, None),
    "clipped relu": ("relu", (47, 49, 48), {"max_value": 1.0}, None),
    "silu": ("unary", (47, 49, 48), {"kind": "silu"}, None),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_pieces(case):
    op, shape, attributes, weights = CASES[case]
    check_op(
        op,
        [arrays.spread(1, 3, *shape, scale=3)],
        attributes,
        parameters=[] if weights is None else [arrays.normal(2, *weights)],
        batches=[1, 3],
        coordinates=20,
    )


@pytest.mark.parametrize("kind", ["add", "divide"])
def test_pieces_of_two(kind):
    a, b = (arrays.normal(seed, 3, 41, 43, 61) for seed in (1, 2))
    b += np.where(b > 0, 2.5, -2.5).astype("float32")
    check_op("binary", [a, b], {"kind": kind}, batches=[1, 3], coordinates=20)


# (height, width, channels), shape of the kernel, attributes
TRANSPOSED = {
    "2 x 2": ((23, 25, 48), (2, 2, 40, 48), {"strides": [2, 2]}),
    "3 x 3": ((23, 25, 48), (3, 3, 33, 48), {"strides": [2, 2], **SAME}),
    "gaps": ((31, 29, 44), (2, 1, 35, 44), {"strides": [3, 2]}),
    "heavy kernel": ((5, 6, 130), (3, 3, 150, 130), SAME),
    "volume": ((4, 9, 10, 40), (2, 2, 2, 35, 40), {"strides": [2, 2, 2]}),
    "volume, same": ((5, 7, 8, 24), (3, 3, 3, 17, 24), {"strides": [2, 1, 2], **SAME}),
}


@pytest.mark.parametrize("case", TRANSPOSED)
def test_pieces_of_transposed(case):
    shape, kernel, attributes = TRANSPOSED[case]
    check_op(
        "conv3d_transpose" if "volume" in case else "conv2d_transpose",
        [arrays.normal(1, 3, *shape)],
        attributes,
        parameters=[arrays.normal(2, *kernel), arrays.normal(3, kernel[-2])],
        batches=[1, 3],
        coordinates=20,
    )
