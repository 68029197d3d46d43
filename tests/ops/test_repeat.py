# SPDX-License-Identifier: Apache-2.0
"""repeat: every slice along an axis several times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import arrays, check_op


@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    repeats=st.integers(1, 4),
    batch=st.integers(1, 4),
    data=st.data(),
)
def test_drawn(shape, repeats, batch, data):
    axis = data.draw(st.sampled_from([*range(1, len(shape) + 1), -1]))
    x = arrays.normal(1, batch, *shape)
    attributes = {"axis": axis, "repeats": repeats}
    check_op("repeat", [x], attributes, batches=[batch], coordinates=60)


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_images(axis):
    """Nearest-neighbour upsampling is made of it."""
    attributes = {"axis": axis, "repeats": 2}
    check_op("repeat", [arrays.normal(1, 17, 5, 7, 17)], attributes, batches=[1, 17])


def test_refused():
    graph = _core.Graph(2, False)
    x = graph.input((3, 4))
    with pytest.raises(ValueError, match="at least one repetition"):
        graph.add("repeat", [x], {"axis": 1, "repeats": 0})
    with pytest.raises(ValueError, match="batch"):
        graph.add("repeat", [x], {"axis": 0, "repeats": 2})
    with pytest.raises(ValueError, match="do not fit"):
        graph.add("repeat", [x], {"axis": 1, "repeats": 2**62})
