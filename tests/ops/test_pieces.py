# SPDX-License-Identifier: Apache-2.0
"""Ops that cut a few large images into pieces; convolutions are in test_conv2d.py."""

import pytest

from pronghorn.testing import arrays, check_op

SAME = {"padding": "same"}
# op, (height, width, channels), attributes, shape of weights
CASES = {
    "max": ("max_pool2d", (53, 61, 40), {"pool_size": [2, 2]}, None),
    "overlapping max": (
        "max_pool2d", (57, 59, 33), {"pool_size": [3, 3], "strides": [2, 2], **SAME},
        None),
    "max of few rows": ("max_pool2d", (11, 400, 26), {"pool_size": [3, 2]}, None),
    "average": (
        "average_pool2d", (55, 58, 36),
        {"pool_size": [3, 2], "strides": [2, 1], "padding": [1, 2, 0, 1]}, None),
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
