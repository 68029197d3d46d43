# SPDX-License-Identifier: Apache-2.0
"""triplet_loss: stacked or side by side."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op


@pytest.mark.parametrize("shape", [(3, 1), (3, 5), (3, 64), (3,), (51,)])
def test_cases(shape):
    check_op("triplet_loss", [arrays.normal(1, 33, *shape)], {"margin": 0.5})


@given(size=st.integers(1, 40), batch=st.integers(1, 35), margin=st.floats(0.1, 9))
def test_drawn(size, batch, margin):
    x = arrays.normal(size, batch, 3, size)
    check_op("triplet_loss", [x], {"margin": margin}, batches=[batch], coordinates=100)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="triplet_loss"):
        check_op("triplet_loss", [arrays.normal(1, 33, 4, 3)])
