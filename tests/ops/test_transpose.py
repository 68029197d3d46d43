# SPDX-License-Identifier: Apache-2.0
"""transpose: the axes of images in another order."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import arrays, check_op


@pytest.mark.parametrize("axes", list(itertools.permutations((1, 2, 3))))
@pytest.mark.parametrize("shape", [(5, 7, 3), (1, 20, 18), (33, 1, 2), (1, 1, 1)])
def test_images(axes, shape):
    check_op("transpose", [arrays.normal(1, 17, *shape)], {"axes": [0, *axes]})


@given(
    shape=st.lists(st.integers(1, 19), min_size=1, max_size=5),
    data=st.data(),
    batch=st.integers(1, 5),
)
def test_drawn(shape, data, batch):
    axes = data.draw(st.permutations(range(1, len(shape) + 1)))
    while np.prod(shape) > 3000:
        shape[shape.index(max(shape))] = 2
    x = arrays.normal(3, batch, *shape)
    check_op("transpose", [x], {"axes": [0, *axes]}, batches=[batch], coordinates=50)


def test_negative_axes():
    check_op(
        "transpose", [arrays.normal(1, 3, 4, 5)], {"axes": [0, -1, 1]}, batches=[3]
    )


@pytest.mark.parametrize(
    ("axes", "complaint"),
    [
        ([1, 0, 2], "batch"),
        ([0, 1], "expected 3 axes"),
        ([0, 1, 1], "twice"),
        ([0, 1, 3], "axes of"),
    ],
)
def test_refused(axes, complaint):
    graph = _core.Graph(2, False)
    with pytest.raises(ValueError, match=rf"\[transpose\].*{complaint}"):
        graph.add("transpose", [graph.input((3, 4))], {"axes": axes})
