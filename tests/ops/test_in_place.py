# SPDX-License-Identifier: Apache-2.0
"""Gradients that lie where the activations were that nobody reads any more."""

import numpy as np
import pytest

from pronghorn._native import core as _core

SHAPE = (48, 48, 16)
MAP = 4 * int(np.prod(SHAPE))  # bytes


def memory(sides, batch):
    """Of a plan of convolutions with ReLUs, their kernels of these sides."""
    graph = _core.Graph(batch, True, "")
    x = graph.input(SHAPE)
    for side in sides:
        kernel = graph.parameter(_core.Buffer((side, side, 16, 16)), True)
        x = graph.add("conv2d", [x, kernel], {"padding": "same"})
        x = graph.add("activation", [x], {"kind": "relu"})
    y = graph.add("global_average_pool", [x], {})
    target = graph.input((16,))
    loss = graph.add("mean_squared_error", [y, target], {})
    return graph.compile(losses=[(loss, -1, "sum", 1.0)]).memory


@pytest.mark.parametrize(("sides", "most"), [((3, 3, 3), 5), ((3, 3, 1), 3)])
def test_dx_takes_the_place_of_its_gate(sides, most):
    """The images, activations, and the first dy where no activation dies before it."""
    maps = (memory(sides, 64) - memory(sides, 32)) / (32 * MAP)
    assert most - 1 < maps < most + 0.1
