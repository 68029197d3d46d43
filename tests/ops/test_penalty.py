# SPDX-License-Identifier: Apache-2.0
"""penalty: of every image."""

import pytest

from pronghorn.testing import arrays, check_op


@pytest.mark.parametrize("attributes", [{"l1": 0.3}, {"l2": 0.2}, {"l1": 1, "l2": 2.0}])
@pytest.mark.parametrize("shape", [(1,), (33,), (3, 4, 5)])
def test_cases(shape, attributes):
    check_op("penalty", [arrays.normal(1, 33, *shape)], attributes)
