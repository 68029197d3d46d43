# SPDX-License-Identifier: Apache-2.0
"""reshape: the same numbers in the same order."""

import pytest

from pronghorn.testing import arrays, check_op


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((12,), (3, 4)),
        ((3, 4), (2, 2, 3)),
        ((5, 3, 7), (7, 15)),
        ((2, 3, 4), (24,)),
        ((1,), (1, 1, 1)),
        ((4, 4, 3), (4, 4, 3)),
    ],
)
def test_cases(before, after):
    check_op("reshape", [arrays.normal(1, 33, *before)], {"shape": list(after)})
