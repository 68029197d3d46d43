# SPDX-License-Identifier: Apache-2.0
"""locally_connected1d: a window of weights for every output."""

from hypothesis import given
from hypothesis import strategies as st

from tests.ops import convolutions


@st.composite
def problems(draw):
    """Shapes of x, kernel and bias, and attributes."""
    axes = 1
    size = draw(convolutions.lists(axes, st.integers(1, 4)))
    strides = draw(convolutions.lists(axes, st.integers(1, 3)))
    extent = [k + draw(st.integers(0, 6)) for k in size]
    counts = [(n - k) // s + 1 for n, k, s in zip(extent, size, strides, strict=True)]
    channels, filters = draw(convolutions.extents(7)), draw(convolutions.extents(20))
    positions, window = 1, channels
    for count, k in zip(counts, size, strict=True):
        positions *= count
        window *= k
    attributes = {"kernel_size": size, "strides": strides}
    problem = (*extent, channels), (positions, window, filters), attributes
    return problem, (*counts, filters)


@given(
    drawn=problems(),
    bias=st.booleans(),
    batch=convolutions.BATCHES,
    exact=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_drawn(drawn, bias, batch, exact, seed):
    problem, outputs = drawn
    convolutions.check(
        "locally_connected1d",
        problem,
        outputs=outputs,
        bias=bias,
        batch=batch,
        exact=exact,
        seed=seed,
    )
