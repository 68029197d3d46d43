# SPDX-License-Identifier: Apache-2.0
"""binary_accuracy: above the threshold is yes; the threshold itself is no."""

import numpy as np
import pytest

from pronghorn.testing import arrays, check_op


@pytest.mark.parametrize("threshold", [0.5, 0.3, 0.0])
@pytest.mark.parametrize("shape", [(1,), (10,), (33,), (5, 7), (3, 4, 6)])
def test_cases(shape, threshold):
    y_true = arrays.labels(2, 2, 33, *shape).astype(np.float32)
    y_pred = arrays.normal(1, 33, *shape)
    check_op("binary_accuracy", [y_pred, y_true], {"threshold": threshold})


def test_at_the_threshold():
    y_pred = arrays.integers(1, 17, 9) / 2
    y_true = arrays.labels(2, 2, 17, 9).astype(np.float32)
    check_op("binary_accuracy", [y_pred, y_true], {"threshold": 0.5})
