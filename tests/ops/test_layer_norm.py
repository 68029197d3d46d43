# SPDX-License-Identifier: Apache-2.0
"""layer_norm: over the last axis or several."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import REFERENCES, Reference, arrays, check_graph, check_op
from pronghorn.testing.running import isas, run_op

EVERY = [(9,), (70,), (5, 4, 6), (3, 65)]


def weights(shape, scale=True, center=True):
    return [arrays.normal(2, *shape)] * scale + [arrays.normal(3, *shape)] * center


@pytest.mark.parametrize("shape", EVERY)
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_shapes(shape, axes):
    if axes > len(shape):
        return
    x = 2 * arrays.normal(1, 17, *shape) + 1
    check_op(
        "layer_norm", [x], {"axes": list(range(-axes, 0))},
        parameters=weights(shape[-axes:]), coordinates=60,
    )  # fmt: skip


@given(
    rows=st.integers(1, 9),
    size=st.integers(2, 90),
    batch=st.integers(1, 20),
    scale=st.booleans(),
    center=st.booleans(),
)
def test_drawn(rows, size, batch, scale, center):
    x = arrays.normal(batch, batch, rows, size)
    check_op(
        "layer_norm", [x], {"scale": scale, "center": center, "epsilon": 0.01},
        parameters=weights((size,), scale, center), batches=[batch], coordinates=30,
    )  # fmt: skip


def test_a_mean_far_from_zero():
    x = (arrays.normal(1, 3, 9, 80) + 1e4).astype(np.float32)
    wide = x.astype(np.float64)
    wide -= wide.mean(-1, keepdims=True)
    expected = wide / np.sqrt((wide**2).mean(-1, keepdims=True) + 1e-3)
    for isa in isas():
        y = run_op("layer_norm", [x], {"scale": False, "center": False}, isa=isa)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_behind_a_convolution_without_bias():
    """In one chain, where each finds the other's pointers unless they are cleared."""
    conv, norm = REFERENCES["conv2d"].forward, REFERENCES["layer_norm"].forward

    def build(graph, images, parameters):
        y = graph.add("conv2d", [*images, parameters[0]], {})
        return graph.add("layer_norm", [y, *parameters[1:]], {"axes": [-2, -1]})

    reference = Reference(
        lambda i, a: norm([conv(i[:2], {}), *i[2:]], {"axes": [-2, -1]}),
        terms=lambda i, a: 60,
        magnitude=lambda i, a: np.full((17, 5, 4, 2), 20.0),
    )
    parameters = [arrays.normal(2, 2, 2, 3, 2), *weights((4, 2))]
    check_graph(
        build, [arrays.normal(1, 17, 6, 5, 3)], reference, name="conv layer_norm",
        parameters=parameters, coordinates=40,
    )  # fmt: skip


@pytest.mark.parametrize("axes", [[1], [2, 1], [0, 1, 2], [-3, -2], [3]])
def test_only_the_last_axes(axes):
    graph = _core.Graph(2, False)
    x = graph.input((3, 4))
    with pytest.raises(ValueError, match=r"\[layer_norm\] expected"):
        graph.add("layer_norm", [x], {"axes": axes, "scale": False, "center": False})
