# SPDX-License-Identifier: Apache-2.0
"""categorical_accuracy: the largest prediction against the largest target."""

import pytest

from pronghorn.testing import arrays, check_op


@pytest.mark.parametrize("shape", [(1,), (2,), (10,), (33,), (5, 7), (3, 4, 6)])
@pytest.mark.parametrize("target", [arrays.one_hot, arrays.probabilities])
def test_cases(shape, target):
    y_true = target(2, 33, *shape)
    check_op("categorical_accuracy", [arrays.normal(1, 33, *shape), y_true])


@pytest.mark.parametrize("classes", [2, 5, 16, 17, 40])
def test_ties(classes):
    y_pred, y_true = arrays.integers(1, 33, classes), arrays.integers(2, 33, classes)
    check_op("categorical_accuracy", [y_pred, y_true])
