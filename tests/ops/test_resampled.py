# SPDX-License-Identifier: Apache-2.0
"""Upsampling before convolutions, and pools behind, on every instruction set.

What fusion makes of them (see tests/training/test_resampling.py) against plans without
it, and with several threads bit by bit.
"""

import numpy as np
import pytest

from pronghorn._native import core as _core
from pronghorn.testing import arrays
from pronghorn.testing.running import isas, with_threads

# The image, ops with the shapes of their weights, the batch.
CASES = {
    "3x3": (
        (9, 11, 17),
        [
            ("upsample_nearest", [], {"size": [2, 2]}),
            ("conv2d", [(3, 3, 17, 20), (20,)], {"padding": "same"}),
            ("activation", [], {"kind": "relu"}),
        ],
        7,
    ),
    "few channels, a factor by axis": (
        (13, 10, 3),
        [
            ("upsample_nearest", [], {"size": [3, 1]}),
            ("conv2d", [(5, 3, 3, 2)], {"padding": [4, 0, 1, 2]}),
        ],
        5,
    ),
    "many channels": (
        (5, 6, 70),
        [
            ("upsample_nearest", [], {"size": [2, 2]}),
            ("conv2d", [(4, 3, 70, 34), (34,)], {}),
        ],
        21,
    ),
    "steps": (
        (61, 19),
        [
            ("upsample_nearest", [], {"size": [2]}),
            ("conv1d", [(5, 19, 18), (18,)], {"padding": "same"}),
        ],
        11,
    ),
    "volume": (
        (5, 6, 7, 3),
        [
            ("upsample_nearest", [], {"size": [1, 2, 2]}),
            ("conv3d", [(3, 3, 3, 3, 5), (5,)], {"padding": "same"}),
        ],
        4,
    ),
    "1x1 behind bilinear": (
        (5, 7, 9),
        [
            ("resize2d", [], {"size": [11, 20], "interpolation": "bilinear"}),
            ("conv2d", [(1, 1, 9, 4), (4,)], {}),
        ],
        6,
    ),
    "1x1 before a pool": (
        (9, 13, 5),
        [
            ("conv2d", [(1, 1, 5, 18), (18,)], {}),
            ("average_pool2d", [], {"pool_size": [3, 2], "padding": "same"}),
        ],
        9,
    ),
}


def gradients(case, isa, threads=1, fusion=True):
    """By the image and all weights."""
    shape, ops, batch = CASES[case]
    graph = _core.Graph(batch, True, isa)
    y = graph.input(shape, "float32", True)
    for number, (op, weights, attributes) in enumerate(ops):
        parameters = []
        for i, dims in enumerate(weights):
            buffer = _core.Buffer(dims)
            buffer.array[...] = arrays.normal(10 * number + i, *dims)
            parameters.append(graph.parameter(buffer, True))
        y = graph.add(op, [y, *parameters], attributes)
    target = graph.input(graph.shape(y)[1:])
    loss = graph.add("mean_squared_error", [y, target])
    feeds = [arrays.normal(7, batch, *shape), arrays.normal(8, *graph.shape(y))]
    plan = graph.compile(losses=[(loss, -1, "sum", 1.0)], fusion=fusion)
    with with_threads(threads):
        return plan.gradients(feeds, np.arange(batch))


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_without_fusion(case):
    for isa in isas():
        fused, plain = (gradients(case, isa, fusion=on) for on in (True, False))
        shared = gradients(case, isa, threads=3)
        for one, two, want in zip(fused, shared, plain, strict=True):
            np.testing.assert_array_equal(one, two, err_msg=isa)
            atol = 2e-5 * np.abs(want).max()
            np.testing.assert_allclose(one, want, rtol=0, atol=atol, err_msg=isa)
        assert any(not np.array_equal(*pair) for pair in zip(fused, plain, strict=True))
