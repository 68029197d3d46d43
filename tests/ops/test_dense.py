# SPDX-License-Identifier: Apache-2.0
"""dense: streams, products and lanes; any rank; sums that must be exact."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import add_parameters

# shape of an image, units, bias
CASES = {
    "lenet": ((120,), 84, True),
    "head": ((84,), 10, True),
    "one unit": ((7,), 1, True),
    "one input": ((1,), 9, True),
    "no bias": ((33,), 17, False),
    "large": ((400,), 301, True),
    "larger than L2": ((700,), 500, True),
    "matrix": ((5, 13), 6, True),
    "image": ((3, 4, 8), 5, False),
    "large image": ((4, 5, 64), 141, True),
    "few pixels": ((2, 140), 151, True),
    "rank 5": ((2, 2, 3, 7), 4, True),
}


@pytest.mark.parametrize("case", CASES)
def test_cases(case):
    shape, units, bias = CASES[case]
    weights = [arrays.normal(2, shape[-1], units)]
    if bias:
        weights.append(arrays.normal(3, units))
    check_op("dense", [arrays.normal(1, 33, *shape)], parameters=weights)


# Few rows go through streaming kernels: every count of them, and beyond.
@pytest.mark.parametrize("batch", [*range(1, 11), 15, 31, 32, 64])
def test_batches(batch):
    check_op(
        "dense",
        [arrays.normal(1, batch, 37)],
        parameters=[arrays.normal(2, 37, 19), arrays.normal(3, 19)],
        batches=[batch],
    )


@pytest.mark.parametrize("isa", _core.supported_isas())
@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize(("inputs", "units"), [(576, 120), (173, 101), (2, 9000)])
def test_terms(isa, batch, inputs, units):
    """Where there are weights for more than one L2, y is a sum of terms.

    Some may be of no rows at all. Whole numbers: the same sums.
    """
    x = arrays.integers(1, batch, inputs)
    weights = [arrays.integers(2, inputs, units), arrays.integers(3, units)]
    found = []
    for unused in (1, 1 << 21):
        graph = _core.Graph(batch, True, isa)
        y = graph.input(x.shape[1:], "float32", True)
        others = np.zeros(unused, np.float32)
        *parameters, _ = add_parameters(graph, [*weights, others], True)
        y = graph.add("dense", [y, *parameters])
        y = graph.add("activation", [y], {"kind": "relu"})
        loss = graph.add("mean_absolute_error", [y, graph.input((units,))])
        plan = graph.compile(losses=[(loss, -1, "sum", float(units))])
        target = np.full((batch, units), 5, np.float32)
        found.append(plan.gradients([x, target], np.arange(batch))[:3])
    assert found[0][0].any()
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


# Products in panels, up to 64 rows: blocks of rows and columns, and ends of them.
@pytest.mark.parametrize("batch", [9, 17, 64, 65])
@pytest.mark.parametrize(("inputs", "units"), [(300, 141), (531, 32), (40, 523)])
def test_blocks(batch, inputs, units):
    check_op(
        "dense",
        [arrays.normal(1, batch, inputs)],
        parameters=[arrays.normal(2, inputs, units), arrays.normal(3, units)],
        batches=[batch],
        coordinates=60,
    )


shapes = st.tuples(
    st.lists(st.integers(1, 5), max_size=2), st.integers(1, 70), st.integers(1, 70)
)


@given(
    shape=shapes,
    bias=st.booleans(),
    batch=st.integers(1, 40),
    exact=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_drawn(shape, bias, batch, exact, seed):
    middle, inputs, units = shape
    fill = arrays.integers if exact else arrays.normal
    weights = [fill(seed + 1, inputs, units)]
    if bias:
        weights.append(fill(seed + 2, units))
    check_op(
        "dense",
        [fill(seed, batch, *middle, inputs)],
        parameters=weights,
        batches=[batch],
        coordinates=100,
        exact=exact,
    )
