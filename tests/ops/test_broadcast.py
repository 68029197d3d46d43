# SPDX-License-Identifier: Apache-2.0
"""broadcast: an image repeated to another shape."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import arrays, check_op


@pytest.mark.parametrize(
    ("shape", "into"),
    [
        ((3,), (3,)),
        ((3,), (5, 7, 3)),
        ((1, 1, 3), (5, 7, 3)),
        ((5, 1, 1), (5, 7, 3)),
        ((1, 7, 1), (5, 7, 3)),
        ((1,), (4, 70)),
    ],
)
def test_cases(shape, into):
    x = arrays.normal(1, 17, *shape)
    check_op("broadcast", [x], {"shape": list(into)}, batches=[1, 17])


@given(
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    ones=st.lists(st.booleans(), min_size=4, max_size=4),
    cut=st.integers(0, 3),
    batch=st.integers(1, 4),
)
def test_drawn(shape, ones, cut, batch):
    sizes = [1 if one else n for n, one in zip(shape, ones, strict=False)]
    x = arrays.normal(1, batch, *sizes[min(cut, len(sizes) - 1) :])
    check_op("broadcast", [x], {"shape": shape}, batches=[batch], coordinates=60)


def test_refused():
    graph = _core.Graph(2, False)
    for shape in ([2, 3], [4], [4, 3, 4, 1]):
        with pytest.raises(ValueError, match=r"\[broadcast\] expected a shape"):
            graph.add("broadcast", [graph.input((3, 4))], {"shape": shape})
