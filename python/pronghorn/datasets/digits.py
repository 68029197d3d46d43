# SPDX-License-Identifier: Apache-2.0
"""The 1797 handwritten digits of 8x8 pixels that scikit-learn carries."""

import numpy as np
from numpy.typing import NDArray

from pronghorn.utils.optional import require

_Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]
_TEST_IMAGES = 360  # 20 %


def load_data() -> tuple[_Pair, _Pair]:
    """Loads the digits, always split in the same way.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: 1437 and 360 images, `uint8` arrays of
        shape (n, 8, 8) with values from 0 to 16, and labels of shape (n,).
    """
    sklearn_datasets = require("sklearn.datasets", "datasets.digits")
    data = sklearn_datasets.load_digits()
    # The file goes through its writers one by one: mix them.
    order = np.random.default_rng(0).permutation(len(data.target))
    x = data.images.astype(np.uint8)[order]
    y = data.target.astype(np.uint8)[order]
    return (x[_TEST_IMAGES:], y[_TEST_IMAGES:]), (x[:_TEST_IMAGES], y[:_TEST_IMAGES])
