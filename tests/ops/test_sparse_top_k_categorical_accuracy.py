# SPDX-License-Identifier: Apache-2.0
"""sparse_top_k_categorical_accuracy: for several k, ties included."""

import numpy as np
import pytest

from pronghorn.testing import arrays, check_op


@pytest.mark.parametrize("k", [1, 2, 5, 100])
@pytest.mark.parametrize("shape", [(3,), (10,), (5, 7), (3, 4, 6)])
def test_cases(shape, k):
    y_pred = np.round(arrays.normal(1, 33, *shape) * 2)
    labels = arrays.labels(2, shape[-1], 33, *shape[:-1])
    check_op("sparse_top_k_categorical_accuracy", [y_pred, labels], {"k": k})
