# SPDX-License-Identifier: Apache-2.0
"""stop_gradient: the same numbers, seen as constants by the backward pass."""

import numpy as np

from pronghorn._native import core as _core
from pronghorn.testing import arrays, check_op


def test_forward():
    check_op("stop_gradient", [arrays.normal(1, 17, 5, 3)], batches=[1, 17])


def test_no_gradient_passes():
    x = arrays.normal(1, 5, 4)
    graph = _core.Graph(5, True)
    tensor = graph.input((4,), "float32", True)
    held = graph.add("stop_gradient", [tensor])
    y = graph.add("binary", [tensor, held], {"kind": "multiply"})
    low = graph.input((4,))
    error = graph.add("mean_absolute_error", [y, low])
    plan = graph.compile(losses=[(error, -1, "sum_over_batch_size", 20.0)])
    (dx,) = plan.gradients([x, np.full_like(x, -1e6)], np.arange(5))
    np.testing.assert_array_equal(dx, x)  # and not 2 x
