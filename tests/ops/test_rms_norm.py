# SPDX-License-Identifier: Apache-2.0
"""rms_norm: by the root mean square of the last axes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op


@pytest.mark.parametrize("shape", [(9,), (70,), (5, 4, 6)])
@pytest.mark.parametrize("axes", [1, 2])
def test_shapes(shape, axes):
    if axes > len(shape):
        return
    check_op(
        "rms_norm", [arrays.normal(1, 17, *shape)], {"axes": list(range(-axes, 0))},
        parameters=[arrays.normal(2, *shape[-axes:])], coordinates=60,
    )  # fmt: skip


@given(size=st.integers(1, 90), batch=st.integers(1, 20), scale=st.booleans())
def test_drawn(size, batch, scale):
    check_op(
        "rms_norm", [arrays.normal(batch, batch, 3, size)],
        {"scale": scale, "epsilon": 0.01},
        parameters=[arrays.normal(2, size)] * scale, batches=[batch], coordinates=30,
    )  # fmt: skip
