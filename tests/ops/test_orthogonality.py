# SPDX-License-Identifier: Apache-2.0
"""orthogonality: one value of a weight, and its gradient."""

import numpy as np
import pytest

from pronghorn._native import core as _core
from pronghorn.testing import REFERENCES, arrays

NAME = "orthogonality"


def run(w, attributes):
    """Value and gradient in a graph of this penalty and a loss that is 0."""
    buffer = _core.Buffer(w.shape)
    buffer.array[...] = w
    graph = _core.Graph(2, True)
    x = graph.input((1,))
    nothing = graph.add("mean_squared_error", [x, x])
    weight = graph.parameter(buffer, True)
    penalty = graph.add(NAME, [weight], attributes)
    loss = (nothing, -1, "sum_over_batch_size", 1.0)
    plan = graph.compile(losses=[loss], penalties=[penalty])
    feeds = [np.ones((2, 1), np.float32)]
    totals = plan.run(feeds, np.arange(2))
    assert totals.shape == (2, 2)
    (gradient,) = plan.gradients(feeds, np.arange(2))
    return totals[0, 0] / totals[0, 1], gradient


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("shape", [(2, 3), (5, 17), (8, 2)])
def test_value_and_gradient(shape, columns):
    w = arrays.normal(1, *shape)
    attributes = {"factor": 0.7, "columns": columns}
    value, gradient = run(w, attributes)
    formula = REFERENCES[NAME].forward
    np.testing.assert_allclose(value, formula([w.astype(float)], attributes)[0], 1e-5)
    for at in np.ndindex(shape):
        sides = []
        for step in (1e-6, -1e-6):
            moved = w.astype(float)
            moved[at] += step
            sides.append(formula([moved], attributes)[0])
        slope = (sides[0] - sides[1]) / 2e-6
        np.testing.assert_allclose(gradient[at], slope, rtol=1e-4, atol=1e-6)


def test_other_weights_are_refused():
    with pytest.raises(ValueError, match="expected a matrix"):
        run(arrays.normal(1, 3), {})
