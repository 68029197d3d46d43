# SPDX-License-Identifier: Apache-2.0
"""adaptive_max_pool: the largest value of windows made for an output size."""

import numpy as np
import pytest
from hypothesis import given

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import gradients_of, isas
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
    x = arrays.spread(1, 33, *shape)
    check_op("adaptive_max_pool", [x], {"output_size": size})


@given(output_sizes())
def test_drawn(drawn):
    shape, attributes = drawn
    check_drawn("adaptive_max_pool", arrays.spread(shape[0], *shape), attributes)


@pytest.mark.parametrize(("shape", "size", "complaint"), WRONG_OUTPUT_SIZES)
def test_wrong(shape, size, complaint):
    check_refused("adaptive_max_pool", shape, {"output_size": size}, complaint)


def test_the_first_of_equals_gets_the_gradient():
    x = np.zeros((17, 4, 6, 4, 3), np.float32)
    for isa in isas():
        (dx,) = gradients_of(
            "adaptive_max_pool", [x], {"output_size": [2, 2, 2]}, isa=isa
        )
        assert (dx[:, ::2, ::3, ::2] != 0).all()
        assert np.count_nonzero(dx) == 17 * 8 * 3
