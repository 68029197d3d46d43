# SPDX-License-Identifier: Apache-2.0
"""concatenate: images side by side along an axis."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import REFERENCES, arrays, check_op

REFERENCE = REFERENCES["concatenate"]


def check(inputs, axis, parameters=(), **keywords):
    reference = replace(
        REFERENCE, linear=False, differentiable=tuple(range(len(inputs)))
    )
    check_op(
        "concatenate", inputs, {"axis": axis}, parameters=parameters,
        reference=reference, coordinates=60, **keywords,
    )  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("axis", [1, 2, -1])
def test_inputs(count, axis):
    sizes = [[3, 5, 2] for _ in range(count)]
    for i, size in enumerate(sizes):
        size[axis - 1 if axis > 0 else axis] = 1 + 4 * i % 7
    check([arrays.normal(i, 17, *size) for i, size in enumerate(sizes)], axis)


@pytest.mark.parametrize("axis", [1, -1])
def test_large_images_in_pieces(axis):
    widths = [(41, 43, channels) for channels in (17, 32)]
    heights = [(rows, 43, 32) for rows in (17, 41)]
    sizes = widths if axis == -1 else heights
    inputs = [arrays.normal(i, 3, *size) for i, size in enumerate(sizes)]
    check(inputs, axis, batches=[1, 3])


@given(
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    extents=st.lists(st.integers(1, 18), min_size=1, max_size=5),
    batch=st.integers(1, 18),
    data=st.data(),
)
def test_drawn(shape, extents, batch, data):
    axis = data.draw(st.integers(1, len(shape)))
    inputs = []
    for i, extent in enumerate(extents):
        shape[axis - 1] = extent
        inputs.append(arrays.normal(i, batch, *shape))
    check(inputs, axis, batches=[batch])


@pytest.mark.parametrize("shape", [(1, 1, 6), (1, 6)])
def test_a_parameter_beside_every_image(shape):
    """As the class token of a vision transformer."""
    x, token = arrays.normal(1, 33, 5, 6), arrays.normal(2, *shape)
    check([x], 1, [token])


def test_refused():
    graph = _core.Graph(2, False)
    x, y = graph.input((3, 4)), graph.input((3, 5))
    with pytest.raises(ValueError, match=r"\[concatenate\].*differ along axis 1"):
        graph.add("concatenate", [x, y], {"axis": 1})
    with pytest.raises(ValueError, match="batch"):
        graph.add("concatenate", [x, x], {"axis": 0})
    with pytest.raises(ValueError, match="axis"):
        graph.add("concatenate", [x, x], {"axis": 3})
    nine = [graph.input((1,)) for _ in range(9)]
    with pytest.raises(ValueError, match="1 to 8 inputs"):
        graph.add("concatenate", nine, {"axis": 1})


def test_nothing_is_lost_or_moved():
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    check([x, -x, x[:, :, :1]], -1, batches=[1, 2])
