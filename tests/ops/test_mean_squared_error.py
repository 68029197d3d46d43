# SPDX-License-Identifier: Apache-2.0
"""mean_squared_error: one number per image, any shape."""

import pytest

from pronghorn.testing import arrays, check_op


@pytest.mark.parametrize("shape", [(1,), (10,), (33,), (5, 7), (3, 4, 5)])
def test_cases(shape):
    x, y = arrays.normal(1, 33, *shape), arrays.normal(2, 33, *shape)
    check_op("mean_squared_error", [x, y])
