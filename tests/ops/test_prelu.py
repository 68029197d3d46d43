# SPDX-License-Identifier: Apache-2.0
"""prelu: slopes of every element, or shared along any axes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import gradients_of, isas


@pytest.mark.parametrize(
    ("shape", "slopes"),
    [
        ((33,), (33,)),
        ((33,), (1,)),
        ((1,), (1,)),
        ((5, 7, 3), (5, 7, 3)),
        ((5, 7, 3), (1, 1, 3)),
        ((5, 7, 3), (1, 1, 1)),
        ((3, 5, 7), (3, 1, 1)),
        ((5, 7, 3), (1, 7, 1)),
        ((4, 5, 18), (4, 1, 18)),
        ((2, 3, 2, 3, 2), (1, 3, 1, 3, 1)),
    ],
)
def test_cases(shape, slopes):
    x, alpha = arrays.spread(1, 33, *shape, scale=2), arrays.normal(2, *slopes)
    check_op("prelu", [x], parameters=[alpha])


@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    shared=st.lists(st.booleans(), min_size=4, max_size=4),
    batch=st.integers(1, 20),
)
def test_drawn(shape, shared, batch):
    slopes = [1 if one else n for n, one in zip(shape, shared, strict=False)]
    x, alpha = arrays.spread(1, batch, *shape), arrays.normal(2, *slopes)
    check_op("prelu", [x], parameters=[alpha], batches=[batch], coordinates=60)


def test_at_zero_as_keras():
    x, alpha = np.array([[0.0, -1.0, 1.0]]), np.full((3,), 0.25)
    for isa in isas():
        dx, da = gradients_of("prelu", [x], parameters=[alpha], isa=isa)
        np.testing.assert_array_equal(dx, [[0, 0.25, 1]])
        np.testing.assert_array_equal(da, [0, -1, 0])


@pytest.mark.parametrize("slopes", [(4, 3), (5,), (5, 1, 1), ()])
def test_errors(slopes):
    graph = _core.Graph(2, False)
    alpha = graph.parameter(_core.Buffer(slopes))
    with pytest.raises(ValueError, match=r"\[prelu\] expected alpha"):
        graph.add("prelu", [graph.input((5, 3)), alpha], {})
