# SPDX-License-Identifier: Apache-2.0
"""conv1d: any padding, causal among them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops import convolutions

# x, kernel, attributes
CASES = {
    "plain": ((17, 5), (3, 5, 7), {}),
    "wide": ((12, 33), (4, 33, 34), {"padding": "same"}),
    "causal": ((11, 3), (3, 3, 4), {"padding": [4, 0], "dilation": [2]}),
    "strided": ((20, 4), (5, 4, 6), {"strides": [3]}),
    "groups": ((9, 12), (3, 4, 6), {"groups": 3, "padding": "same"}),
}  # fmt: skip


def outputs(kernel):
    return kernel[-1:]


@pytest.mark.parametrize("algorithm", convolutions.ALGORITHMS)
@pytest.mark.parametrize("case", CASES)
def test_cases(case, algorithm):
    problem = CASES[case]
    shape = outputs(problem[1])
    convolutions.check("conv1d", problem, outputs=shape, algorithm=algorithm)


@given(
    problem=convolutions.problems(1),
    bias=st.booleans(),
    batch=convolutions.BATCHES,
    algorithm=st.sampled_from(convolutions.ALGORITHMS),
    exact=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_drawn(problem, bias, batch, algorithm, exact, seed):
    convolutions.check(
        "conv1d",
        problem,
        outputs=outputs(problem[1]),
        bias=bias,
        batch=batch,
        algorithm=algorithm,
        exact=exact,
        seed=seed,
    )
