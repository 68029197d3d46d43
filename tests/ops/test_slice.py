# SPDX-License-Identifier: Apache-2.0
"""slice: what range(start, stop, step) counts along every axis."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import arrays, check_op


@pytest.mark.parametrize(
    ("shape", "starts", "stops", "steps"),
    [
        ((5,), [0], [5], [1]),
        ((5,), [4], [-1], [-1]),
        ((5, 7, 3), [1, 2, 0], [4, 7, 3], [1, 1, 1]),
        ((5, 7, 3), [0, 6, 0], [5, -1, 3], [1, -1, 1]),
        ((5, 7, 3), [0, 0, 2], [5, 7, 3], [2, 3, 1]),
        ((5, 7, 3), [4, 5, 2], [0, 1, -1], [-3, -2, -1]),
        ((1, 40), [0, 3], [1, 4], [-5, 9]),
    ],
)
def test_cases(shape, starts, stops, steps):
    attributes = {"starts": starts, "stops": stops, "steps": steps}
    if shape[0] == 1:
        attributes = {"starts": [0, 3], "stops": [1, 33]}  # steps of 1
    check_op("slice", [arrays.normal(1, 17, *shape)], attributes, batches=[1, 17])


@given(data=st.data(), rank=st.integers(1, 4), batch=st.integers(1, 5))
def test_drawn(data, rank, batch):
    shape, starts, stops, steps = [], [], [], []
    for _ in range(rank):
        bounds = sorted(
            data.draw(st.lists(st.integers(0, 8), min_size=2, max_size=2, unique=True))
        )
        step = data.draw(st.sampled_from([1, 2, 3, -1, -2]))
        shape.append(bounds[1] + data.draw(st.integers(0, 2)))
        starts.append(bounds[0] if step > 0 else bounds[1] - 1)
        stops.append(bounds[1] if step > 0 else bounds[0] - 1)
        steps.append(step)
    attributes = {"starts": starts, "stops": stops, "steps": steps}
    x = arrays.normal(1, batch, *shape)
    check_op("slice", [x], attributes, batches=[batch], coordinates=40)


@pytest.mark.parametrize(
    ("starts", "stops", "steps", "complaint"),
    [
        ([0], [3], [1], "axes"),
        ([0, 0], [3, 5], [1, 1], "inside"),
        ([3, 0], [4, 4], [1, 1], "inside"),
        ([1, 0], [1, 4], [1, 1], "empty"),
        ([1, 0], [3, 4], [-1, 1], "empty"),
        ([0, 0], [3, 4], [0, 1], "steps"),
        ([0, 0], [3, 4], [1], "equally many"),
        ([-1, 0], [3, 4], [1, 1], "at least 0"),
    ],
)
def test_refused(starts, stops, steps, complaint):
    graph = _core.Graph(2, False)
    attributes = {"starts": starts, "stops": stops, "steps": steps}
    with pytest.raises(ValueError, match=rf"\[slice\].*{complaint}"):
        graph.add("slice", [graph.input((3, 4))], attributes)
