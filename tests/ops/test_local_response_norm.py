# SPDX-License-Identifier: Apache-2.0
"""local_response_norm: each channel by the squares of its neighbours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import arrays, check_op

ALEXNET = {"depth_radius": 2, "bias": 2.0, "alpha": 1e-4, "beta": 0.75}


@pytest.mark.parametrize("attributes", [{}, ALEXNET, {"beta": 1.3, "depth_radius": 1}])
@pytest.mark.parametrize("shape", [(1,), (40,), (4, 3, 7), (3, 2, 96)])
def test_shapes(shape, attributes):
    x = 2 * arrays.normal(1, 17, *shape)
    check_op("local_response_norm", [x], attributes, coordinates=60)


@given(
    channels=st.integers(1, 60),
    radius=st.integers(0, 9),
    beta=st.sampled_from([0.5, 0.75, 0.6, 1.0]),
    alpha=st.floats(0.125, 2, width=32),
)
def test_drawn(channels, radius, beta, alpha):
    attributes = {"depth_radius": radius, "alpha": alpha, "beta": beta, "bias": 0.5}
    x = arrays.normal(channels, 3, 2, channels)
    check_op("local_response_norm", [x], attributes, batches=[3], coordinates=30)


def test_negative_radius():
    graph = _core.Graph(1, False)
    with pytest.raises(ValueError, match="depth_radius"):
        graph.add("local_response_norm", [graph.input((3,))], {"depth_radius": -1})
