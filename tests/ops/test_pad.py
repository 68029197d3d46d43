# SPDX-License-Identifier: Apache-2.0
"""pad: a border of one value."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import REFERENCES, arrays, check_op

WITH_ZEROS = replace(REFERENCES["pad"], linear=True)


@pytest.mark.parametrize(
    ("shape", "before", "after"),
    [
        ((5,), [0], [0]),
        ((5,), [2], [3]),
        ((5, 7, 3), [1, 1, 0], [1, 1, 0]),
        ((5, 7, 3), [0, 0, 2], [0, 0, 1]),
        ((5, 7, 3), [0, 3, 0], [2, 0, 0]),
        ((2, 3, 4, 5), [1, 0, 2, 0], [0, 0, 0, 0]),
        ((3, 1, 1), [1, 1, 0], [1, 0, 0]),
        ((3, 1, 1), [0, 0, 1], [0, 0, 1]),
    ],
)
def test_cases(shape, before, after):
    x = arrays.normal(1, 17, *shape)
    attributes = {"before": before, "after": after}
    check_op("pad", [x], attributes, reference=WITH_ZEROS, batches=[1, 17])
    check_op("pad", [x], {**attributes, "value": -1.5}, batches=[1, 17], coordinates=60)


@given(
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    borders=st.lists(st.sampled_from([0, 0, 0, 1, 2]), min_size=8, max_size=8),
    batch=st.integers(1, 4),
)
def test_drawn(shape, borders, batch):
    rank = len(shape)
    attributes = {"before": borders[:rank], "after": borders[4 : 4 + rank]}
    x = arrays.normal(1, batch, *shape)
    check_op(
        "pad", [x], attributes, reference=WITH_ZEROS, batches=[batch], coordinates=60
    )


def test_refused():
    graph = _core.Graph(2, False)
    x = graph.input((3, 4))
    for before, after, complaint in (
        ([1], [1], "2 axes"),
        ([1, 1], [1], "equally many"),
        ([-1, 0], [1, 1], "at least 0"),
        ([2**62, 0], [2**62, 1], "absurd"),
    ):
        with pytest.raises(ValueError, match=rf"\[pad\].*{complaint}"):
            graph.add("pad", [x], {"before": before, "after": after})
