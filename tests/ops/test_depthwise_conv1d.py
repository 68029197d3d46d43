# SPDX-License-Identifier: Apache-2.0
"""depthwise_conv1d: each channel by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops import convolutions

# x, kernel, attributes
CASES = {
    "plain": ((17, 5), (3, 5, 1), {}),
    "wide same": ((12, 35), (5, 35, 1), {"padding": "same"}),
    "multiplier": ((11, 3), (3, 3, 4), {"strides": [2]}),
}  # fmt: skip


def outputs(kernel):
    return (kernel[-1] * kernel[-2],)


@pytest.mark.parametrize("case", CASES)
def test_cases(case):
    problem = CASES[case]
    convolutions.check("depthwise_conv1d", problem, outputs=outputs(problem[1]))


@given(
    problem=convolutions.depthwise_problems(1),
    bias=st.booleans(),
    batch=convolutions.BATCHES,
    algorithm=st.sampled_from([*convolutions.ALGORITHMS]),
    exact=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_drawn(problem, bias, batch, algorithm, exact, seed):
    convolutions.check(
        "depthwise_conv1d",
        problem,
        outputs=outputs(problem[1]),
        bias=bias,
        batch=batch,
        algorithms=convolutions.only(algorithm),
        exact=exact,
        seed=seed,
    )
