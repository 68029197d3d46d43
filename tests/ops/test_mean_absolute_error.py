# SPDX-License-Identifier: Apache-2.0
"""mean_absolute_error: one number per image, any shape; no gradient where equal."""

import numpy as np
import pytest

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import gradients_of


@pytest.mark.parametrize("shape", [(1,), (10,), (33,), (5, 7), (3, 4, 5)])
def test_cases(shape):
    x, y = arrays.normal(1, 33, *shape), arrays.normal(2, 33, *shape)
    check_op("mean_absolute_error", [x, y])


def test_equal_values_have_no_gradient():
    x = arrays.normal(1, 4, 5)
    (dx,) = gradients_of("mean_absolute_error", [x, x], loss=True)
    np.testing.assert_array_equal(dx, np.zeros_like(x))
