# SPDX-License-Identifier: Apache-2.0
"""A tensor with several readers: gradients add up; several losses are weighted."""

import numpy as np
import pytest

from pronghorn._native import core as _core
from pronghorn.testing import arrays
from pronghorn.testing.running import isas


@pytest.mark.parametrize("batch", [1, 7, 16, 33])
@pytest.mark.parametrize("readers", [2, 3, 5])
def test_gradients_of_all_readers_add_up(batch, readers):
    x = arrays.integers(1, batch, 6, 5, 3)
    kernels = [arrays.integers(2 + i, 3, 3, 3, 4) for i in range(readers)]
    target = np.full((batch, 4, 3, 4), -3e38, np.float32)  # dy is then 1
    size = float(target.size)
    for isa in isas():
        graph = _core.Graph(batch, True, isa)
        tensor = graph.input(x.shape[1:], "float32", True)
        wanted = graph.input(target.shape[1:])
        losses = []
        for number, kernel in enumerate(kernels):
            buffer = _core.Buffer(kernel.shape)
            buffer.array[...] = kernel
            y = graph.add("conv2d", [tensor, graph.parameter(buffer)], {})
            error = graph.add("mean_absolute_error", [y, wanted], {})
            losses.append((error, -1, "sum_over_batch_size", size * (number + 1)))
        plan = graph.compile(losses=losses)
        (dx,) = plan.gradients([x, target], np.arange(batch))
        expected = np.zeros_like(x)
        for number, kernel in enumerate(kernels):
            for i in range(3):
                for j in range(3):
                    cells = kernel[i, j].sum(axis=-1) * (number + 1)
                    expected[:, i : i + 4, j : j + 3] += cells
        np.testing.assert_array_equal(dx, expected, err_msg=isa)


@pytest.mark.parametrize(
    "reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"]
)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(5,), (3, 5)])
def test_reductions(reduction, weighted, shape):
    """Keras's: the mean over all rows, their sum, or the mean by weight."""
    batch = 9
    y_pred, y_true = arrays.normal(1, batch, *shape), arrays.normal(2, batch, *shape)
    weights = np.random.default_rng(3).uniform(0, 2, batch).astype(np.float32)
    graph = _core.Graph(batch, True)
    x, y = graph.input(shape, "float32", True), graph.input(shape)
    feeds = [y_pred, y_true]
    if weighted:
        column = graph.input(())
        feeds.append(weights)
    error = graph.add("mean_squared_error", [x, y], {})
    plan = graph.compile(losses=[(error, column if weighted else -1, reduction, 0.5)])
    totals = plan.run(feeds, np.arange(batch))
    (dx,) = plan.gradients(feeds, np.arange(batch))

    rows = ((y_pred.astype(np.float64) - y_true) ** 2).mean(axis=-1)
    scale = np.ones(batch) if not weighted else weights.astype(np.float64)
    scale = np.broadcast_to(scale.reshape(batch, *[1] * (rows.ndim - 1)), rows.shape)
    divisor = {
        "sum": 1,
        "sum_over_batch_size": rows.size,
        "mean_with_sample_weight": scale.sum(),
    }[reduction]
    loss = (rows * scale).sum() / divisor
    slope = 2 * (y_pred.astype(np.float64) - y_true) / shape[-1] * scale[..., None]
    np.testing.assert_allclose(totals[1, 0] / totals[1, 1], loss, rtol=1e-6)
    np.testing.assert_allclose(totals[0, 0] / totals[0, 1], 0.5 * loss, rtol=1e-6)
    np.testing.assert_allclose(dx, 0.5 * slope / divisor, rtol=2e-6, atol=1e-9)
