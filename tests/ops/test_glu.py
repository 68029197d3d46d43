# SPDX-License-Identifier: Apache-2.0
"""glu: a times the sigmoid of b, halves along an axis."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import arrays, check_op


@pytest.mark.parametrize(
    ("shape", "axis"), [((2,), -1), ((34,), 1), ((4, 3, 5), 1), ((3, 6, 5), -2)]
)
def test_cases(shape, axis):
    check_op("glu", [arrays.spread(1, 33, *shape, scale=4)], {"axis": axis})


@given(
    shape=st.lists(st.integers(1, 7), min_size=3, max_size=3),
    axis=st.integers(1, 3),
    batch=st.integers(1, 20),
)
def test_drawn(shape, axis, batch):
    shape[axis - 1] *= 2
    x = arrays.spread(batch, batch, *shape, scale=3)
    check_op("glu", [x], {"axis": axis}, batches=[batch], coordinates=60)


@pytest.mark.parametrize(("shape", "axis"), [((3,), -1), ((4,), 0), ((4,), 2)])
def test_errors(shape, axis):
    graph = _core.Graph(2, False)
    with pytest.raises(ValueError, match=r"\[glu\] expected"):
        graph.add("glu", [graph.input(shape)], {"axis": axis})
