# SPDX-License-Identifier: Apache-2.0
"""max_pool3d: the largest value of windows of a volume."""

import numpy as np
import pytest
from hypothesis import given

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import gradients_of, isas
from tests.ops.pools import (
    VOLUMES,
    WRONG_VOLUMES,
    attributes_of,
    check_drawn,
    check_refused,
    volumes,
)


@pytest.mark.parametrize("case", VOLUMES)
def test_cases(case):
    shape, *rest = VOLUMES[case]
    check_op("max_pool3d", [arrays.spread(1, 33, *shape)], attributes_of(*rest))


def test_strides_are_the_pool_unless_given():
    x = arrays.spread(1, 3, 7, 5, 9, 2)
    check_op("max_pool3d", [x], {"pool_size": [3, 2, 4]})


@given(volumes())
def test_drawn(drawn):
    shape, attributes = drawn
    check_drawn("max_pool3d", arrays.spread(shape[0], *shape), attributes)


@pytest.mark.parametrize(("shape", "attributes", "complaint"), WRONG_VOLUMES)
def test_wrong(shape, attributes, complaint):
    check_refused("max_pool3d", shape, attributes, complaint)


def test_the_first_of_equals_gets_the_gradient():
    x = np.zeros((17, 4, 4, 4, 3), np.float32)
    for isa in isas():
        (dx,) = gradients_of("max_pool3d", [x], {}, isa=isa)
        assert (dx[:, ::2, ::2, ::2] != 0).all()
        assert np.count_nonzero(dx) == 17 * 8 * 3
