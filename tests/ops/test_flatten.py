# SPDX-License-Identifier: Apache-2.0
"""flatten: the same numbers in the same order."""

import pytest

from pronghorn.testing import arrays, check_op


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5), (5, 3, 7), (2, 3, 4, 5)])
def test_cases(shape):
    check_op("flatten", [arrays.normal(1, 33, *shape)])
