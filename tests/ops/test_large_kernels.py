# SPDX-License-Identifier: Apache-2.0
"""Kernels of a megabyte and more, packed and transformed right before they are read."""

import numpy as np
import pytest

from pronghorn._native import core as _core
from pronghorn.testing import arrays

# op, x, kernel, attributes
CASES = {
    "conv2d": ((7, 6, 170), (3, 3, 170, 180), {"padding": "same"}),
    "conv2d, strides": ((7, 6, 170), (3, 3, 170, 180), {"strides": [2, 2]}),
    "conv2d, 1x1": ((7, 6, 520), (1, 1, 520, 530), {}),
    "conv2d, groups": ((5, 6, 256), (3, 3, 128, 250), {"groups": 2}),
    "conv2d_transpose": ((7, 6, 170), (3, 3, 180, 170), {"strides": [2, 2]}),
    "conv2d_transpose, 1x1": ((7, 6, 520), (1, 1, 530, 520), {}),
}


def kernels_after_steps(case, algorithm, batch, trains, threads):
    """Two steps by SGD through two such layers and a small one before them."""
    shape, size, attributes = CASES[case]
    graph = _core.Graph(batch, True, "")
    small = (1, 1, shape[2], shape[2])
    back = (1, 1, size[2] if "transpose" in case else size[3], 8)
    buffers = [_core.Buffer(of) for of in (small, size, back)]
    for seed, buffer in enumerate(buffers):
        of = buffer.array.shape
        buffer.array[...] = arrays.normal(seed, *of) / np.sqrt(of[0] * of[1] * shape[2])
    x = graph.input(shape)
    y = graph.add("conv2d", [x, graph.parameter(buffers[0], True)], {})
    y = graph.add(
        case.split(",")[0], [y, graph.parameter(buffers[1], trains)], attributes
    )
    y = graph.add("conv2d", [y, graph.parameter(buffers[2], True)], {})
    y = graph.add("global_average_pool", [y], {})
    loss = graph.add("mean_squared_error", [y, graph.input((8,))], {})
    plan = graph.compile(
        losses=[(loss, -1, "sum", 1.0)],
        optimizer=_core.Optimizer("sgd", {}),
        conv_algorithm=algorithm,
    )
    feeds = [arrays.normal(7, 2 * batch, *shape), arrays.normal(8, 2 * batch, 8)]
    before = _core.num_threads()
    _core.set_num_threads(threads)
    plan.run(feeds, np.arange(2 * batch), learning_rates=np.full(2, 0.1))
    _core.set_num_threads(before)
    return [buffer.array.copy() for buffer in buffers]


@pytest.mark.parametrize("trains", [True, False])
@pytest.mark.parametrize("batch", [1, 9])
@pytest.mark.parametrize("case", CASES)
def test_training_moves_the_weights_alike(case, batch, trains):
    """By every algorithm and any number of threads."""
    want = kernels_after_steps(case, "im2col", batch, trains, 1)
    for algorithm in ("direct", "winograd", "auto"):
        got = kernels_after_steps(case, algorithm, batch, trains, 1)
        for found, expected in zip(got, want, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-6)
        for found, one in zip(
            kernels_after_steps(case, algorithm, batch, trains, 3), got, strict=True
        ):
            np.testing.assert_array_equal(found, one)
