# SPDX-License-Identifier: Apache-2.0
"""overlap_loss: over images, over channels, over the batch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op
from pronghorn.testing.references.losses import overlap_loss
from pronghorn.testing.running import gradients_of, isas, run_op, with_threads

NAME = "overlap_loss"
KINDS = [
    {"kind": "dice"},
    {"kind": "tversky", "alpha": 0.3, "beta": 0.8},
]


@pytest.mark.parametrize("attributes", KINDS)
@pytest.mark.parametrize("axes", [[1, 2], [-1], [1, 2, 3]])
def test_cases(axes, attributes):
    p, t = (arrays.probabilities(seed, 33, 3, 5, 4) for seed in (1, 2))
    check_op(NAME, [p, t], {"axes": axes, **attributes})


@given(
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=3),
    batch=st.integers(1, 35),
    axis=st.sampled_from([-1, 1]),
)
def test_drawn(sizes, batch, axis):
    p, t = (arrays.probabilities(seed, batch, *sizes, 5) for seed in (1, 2))
    attributes = {"kind": "dice", "axes": [axis]}
    check_op(NAME, [p, t], attributes, batches=[batch], coordinates=100)


@pytest.mark.parametrize("isa", isas())
@pytest.mark.parametrize("attributes", KINDS)
@pytest.mark.parametrize("axes", [[], [0, 1, 2], [0], [0, -1]])
def test_sums_over_the_batch(axes, attributes, isa):
    """Every image has the batch's value, so the sum's gradient is 9 times its own."""
    attributes = {"axes": axes, **attributes}
    p, t = (arrays.probabilities(seed, 9, 3, 2, 4) for seed in (1, 2))
    expected = overlap_loss([p.astype(float), t.astype(float)], attributes)
    for threads in (1, 3):
        with with_threads(threads):
            found = run_op(NAME, [p, t], attributes, isa=isa)
            (gradient,) = gradients_of(NAME, [p, t], attributes, isa=isa, loss=True)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        for at in [(0, 0, 0, 0), (4, 2, 1, 3), (8, 1, 0, 2)]:
            values = []
            for step in (1e-4, -1e-4):
                moved = p.astype(float)
                moved[at] += step
                values.append(overlap_loss([moved, t.astype(float)], attributes).sum())
            slope = (values[0] - values[1]) / 2e-4
            np.testing.assert_allclose(gradient[at], slope, rtol=1e-4, atol=1e-8)
