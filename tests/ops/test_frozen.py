# SPDX-License-Identifier: Apache-2.0
"""Ops some of whose weights are frozen: the others' gradients are as ever."""

import itertools

import numpy as np
import pytest

from pronghorn._native import core as _core
from pronghorn.testing import arrays
from tests.ops.convolutions import ALGORITHMS

# op, x, kernel, channels of the bias, attributes
CASES = {
    "conv2d": ((9, 10, 17), (3, 3, 17, 20), 20, {"padding": "same"}),
    "conv2d, strides": ((12, 13, 32), (4, 4, 32, 18), 18, {"strides": [2, 2]}),
    "conv2d, few": ((20, 50, 40), (3, 3, 40, 2), 2, {"padding": "same"}),
    "conv2d, large": ((40, 41, 20), (3, 2, 20, 24), 24, {"strides": [1, 2]}),
    "conv2d, 1x1": ((5, 6, 33), (1, 1, 33, 40), 40, {}),
    "conv2d, whole": ((3, 2, 33), (3, 2, 33, 40), 40, {}),
    "conv2d_transpose": ((9, 10, 17), (3, 3, 20, 17), 20, {"padding": "same"}),
    "conv2d_transpose, strides": (
        (7, 6, 32), (4, 4, 18, 32), 18, {"strides": [2, 2], "padding": "same"}),
    "conv2d_transpose, few": (
        (11, 12, 40), (5, 5, 1, 40), 1, {"strides": [2, 2], "padding": "same"}),
    "conv2d_transpose, pieces": ((23, 24, 40), (2, 2, 35, 40), 35, {"strides": [2, 2]}),
    "depthwise_conv2d": ((9, 10, 17), (3, 3, 17, 1), 17, {"padding": "same"}),
    "dense": ((50,), (50, 40), 40, {}),
}  # fmt: skip


def gradients(case, algorithm, trainable, batch):
    """Of x, the kernel and the bias, None where there is none."""
    x, kernel, units, attributes = CASES[case]
    graph = _core.Graph(batch, True)
    shapes = (kernel, (units,))
    inputs = [graph.input(x, "float32", trainable[0])]
    for seed, (shape, trains) in enumerate(zip(shapes, trainable[1:], strict=True)):
        buffer = _core.Buffer(shape)
        buffer.array[...] = arrays.normal(seed + 1, *shape)
        inputs.append(graph.parameter(buffer, trains))
    y = graph.add(case.split(",")[0], inputs, attributes)
    y = graph.add("flatten", [graph.add("activation", [y], {"kind": "relu"})], {})
    target = graph.input(graph.shape(y)[1:])
    loss = graph.add("mean_squared_error", [y, target], {})
    plan = graph.compile(losses=[(loss, -1, "sum", 1.0)], conv_algorithm=algorithm)
    feeds = [arrays.normal(5, batch, *x), np.zeros(graph.shape(y), np.float32)]
    found = iter(plan.gradients(feeds, np.arange(batch)))
    return [next(found) if trains else None for trains in trainable]


@pytest.mark.parametrize("batch", [1, 3, 20])
@pytest.mark.parametrize("case", CASES)
def test_the_others_have_their_gradients(case, batch):
    """With every algorithm, whatever is asked for."""
    for algorithm in ALGORITHMS:
        want = gradients(case, algorithm, (True, True, True), batch)
        for trainable in itertools.product((False, True), repeat=3):
            if not any(trainable):
                continue
            got = gradients(case, algorithm, trainable, batch)
            for name, a, b in zip(("x", "kernel", "bias"), got, want, strict=True):
                if a is None:
                    continue
                np.testing.assert_allclose(
                    a, b, atol=1e-5 * np.abs(b).max(), err_msg=f"{algorithm} {name}"
                )
