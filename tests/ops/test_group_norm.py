# SPDX-License-Identifier: Apache-2.0
"""group_norm: groups of channels of an image, down to one channel each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import isas, run_op


def weights(channels, scale=True, center=True):
    return [arrays.normal(2, channels)] * scale + [arrays.normal(3, channels)] * center


@pytest.mark.parametrize(
    ("shape", "groups"),
    [((8,), 2), ((5, 4, 6), 3), ((5, 4, 6), 6), ((7, 3, 6), 1), ((3, 70), 2),
     ((9, 9, 48), 4)],
)  # fmt: skip
def test_shapes(shape, groups):
    x = 2 * arrays.normal(1, 17, *shape) + 1
    check_op(
        "group_norm", [x], {"groups": groups}, parameters=weights(shape[-1]),
        coordinates=60,
    )  # fmt: skip


@given(
    height=st.integers(1, 7),
    width=st.integers(2, 7),
    groups=st.integers(1, 6),
    size=st.integers(2, 8),
    batch=st.integers(1, 9),
    scale=st.booleans(),
    center=st.booleans(),
)
def test_drawn(height, width, groups, size, batch, scale, center):
    x = arrays.normal(batch, batch, height, width, groups * size)
    attributes = {"groups": groups, "scale": scale, "center": center, "epsilon": 0.01}
    check_op(
        "group_norm", [x], attributes, parameters=weights(groups * size, scale, center),
        batches=[batch], coordinates=30,
    )  # fmt: skip


def test_a_mean_far_from_zero():
    x = (arrays.normal(1, 3, 9, 8, 6) + 1e4).astype(np.float32)
    split = x.astype(np.float64).reshape(3, 72, 2, 3)
    split = split - split.mean((1, 3), keepdims=True)
    expected = split / np.sqrt((split**2).mean((1, 3), keepdims=True) + 1e-3)
    attributes = {"groups": 2, "scale": False, "center": False}
    for isa in isas():
        y = run_op("group_norm", [x], attributes, isa=isa)
        np.testing.assert_allclose(y, expected.reshape(x.shape), rtol=1e-5, atol=1e-5)


def test_groups_that_do_not_divide():
    graph = _core.Graph(1, False)
    attributes = {"groups": 4, "scale": False, "center": False}
    with pytest.raises(ValueError, match="groups that divide 6 channels, got 4"):
        graph.add("group_norm", [graph.input((3, 6))], attributes)
