# SPDX-License-Identifier: Apache-2.0
"""average_pool3d: the mean of the real cells of windows of a volume."""

import numpy as np
import pytest
from hypothesis import given

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import run_op
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
    check_op("average_pool3d", [arrays.normal(1, 33, *shape)], attributes_of(*rest))


def test_strides_are_the_pool_unless_given():
    x = arrays.normal(1, 3, 7, 5, 9, 2)
    check_op("average_pool3d", [x], {"pool_size": [3, 2, 4]})


@given(volumes())
def test_drawn(drawn):
    shape, attributes = drawn
    check_drawn("average_pool3d", arrays.normal(shape[0], *shape), attributes)


@pytest.mark.parametrize(("shape", "attributes", "complaint"), WRONG_VOLUMES)
def test_wrong(shape, attributes, complaint):
    check_refused("average_pool3d", shape, attributes, complaint)


def test_padding_does_not_count():
    x = np.full((3, 3, 5, 2, 6), 3, np.float32)
    attributes = attributes_of((3, 2, 4), (2, 1, 1), "same")
    y = run_op("average_pool3d", [x], attributes)
    np.testing.assert_allclose(y, 3, rtol=1e-6)
