# SPDX-License-Identifier: Apache-2.0
"""where: one tensor or the other, place by place."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import REFERENCES, arrays, check_op
from pronghorn.testing.running import isas, run_op

REFERENCE = REFERENCES["where"]
SHAPES = [
    ((1,), (1,), (1,)),
    ((5, 7, 3), (5, 7, 3), (5, 7, 3)),
    ((5, 7, 1), (5, 7, 3), (1, 1, 3)),
    ((1, 1, 3), (1, 7, 1), (5, 1, 1)),
    ((40,), (1,), (40,)),
]


def condition(*shape):
    return np.maximum(arrays.integers(4, *shape), 0)


@pytest.mark.parametrize("shapes", SHAPES)
def test_inputs(shapes):
    inputs = [condition(17, *shapes[0])]
    inputs += [arrays.normal(i, 17, *shape) for i, shape in enumerate(shapes[1:])]
    check_op("where", inputs, batches=[1, 16, 17], coordinates=60)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (7, 1), (1, 5, 7, 3)])
def test_parameters(shape):
    inputs = [condition(17, 5, 7, 3), arrays.normal(1, 17, 5, 7, 3)]
    check_op(
        "where", inputs, parameters=[arrays.normal(2, *shape)],
        reference=replace(REFERENCE, differentiable=(1,)), batches=[1, 17],
        coordinates=60,
    )  # fmt: skip


@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    ones=st.lists(st.booleans(), min_size=9, max_size=9),
    batch=st.integers(1, 18),
)
def test_drawn(shape, ones, batch):
    inputs = []
    for i in range(3):
        part = ones[3 * i : 3 * i + len(shape)]
        sizes = [1 if one else n for n, one in zip(shape, part, strict=True)]
        draw = condition if i == 0 else lambda *sizes: arrays.normal(1, *sizes)
        inputs.append(draw(batch, *sizes))
    check_op("where", inputs, batches=[batch], coordinates=30)


def test_nan():
    """A NaN is not 0; what is not chosen does not matter."""
    inputs = [[[np.nan, 0, 1, -0.0]], [[1, np.nan, 3, np.inf]], [[5, 6, np.nan, 8]]]
    for isa in isas():
        y = run_op("where", [np.array(x) for x in inputs], isa=isa)
        np.testing.assert_array_equal(y, [[1, 6, 3, 8]])
