# SPDX-License-Identifier: Apache-2.0
"""sparse_categorical_accuracy: the first of the largest values wins."""

import numpy as np
import pytest

from pronghorn.testing import arrays, check_op


@pytest.mark.parametrize("shape", [(1,), (2,), (10,), (33,), (5, 7), (3, 4, 6)])
def test_cases(shape):
    labels = arrays.labels(2, shape[-1], 33, *shape[:-1])
    check_op("sparse_categorical_accuracy", [arrays.normal(1, 33, *shape), labels])


@pytest.mark.parametrize("classes", [2, 5, 16, 17, 40])
def test_ties(classes):
    y_pred = arrays.integers(1, 33, classes)
    for label in range(min(classes, 4)):
        labels = np.full(33, label, np.int32)
        check_op("sparse_categorical_accuracy", [y_pred, labels])
