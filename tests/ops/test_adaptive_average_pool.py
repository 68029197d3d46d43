# SPDX-License-Identifier: Apache-2.0
"""adaptive_average_pool: the mean of windows made for an output size."""

import pytest
from hypothesis import given

from pronghorn.testing import arrays, check_op
from tests.ops.pools import (
    OUTPUT_SIZES,
    WRONG_OUTPUT_SIZES,
    check_drawn,
    check_refused,
    output_sizes,
)


@pytest.mark.parametrize("case", OUTPUT_SIZES)
def test_cases(case):
    shape, size = OUTPUT_SIZES[case]
    x = arrays.normal(1, 33, *shape)
    check_op("adaptive_average_pool", [x], {"output_size": size})


@given(output_sizes())
def test_drawn(drawn):
    shape, attributes = drawn
    check_drawn("adaptive_average_pool", arrays.normal(shape[0], *shape), attributes)


@pytest.mark.parametrize(("shape", "size", "complaint"), WRONG_OUTPUT_SIZES)
def test_wrong(shape, size, complaint):
    check_refused("adaptive_average_pool", shape, {"output_size": size}, complaint)
