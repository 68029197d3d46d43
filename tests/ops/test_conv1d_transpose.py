# SPDX-License-Identifier: Apache-2.0
"""conv1d_transpose: Keras's sizes and crops."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops import convolutions

# x, kernel, attributes
CASES = {
    "plain": ((7, 5), (3, 4, 5), {}),
    "same": ((6, 16), (4, 17, 16), {"padding": "same", "strides": [2]}),
    "more": ((6, 3), (3, 4, 3), {"strides": [3], "output_padding": [1]}),
}  # fmt: skip


def outputs(kernel):
    return kernel[-2:-1]


@pytest.mark.parametrize("case", CASES)
def test_cases(case):
    problem = CASES[case]
    convolutions.check("conv1d_transpose", problem, outputs=outputs(problem[1]))


WINOGRAD_CASES = {
    "3": ((40, 17), (3, 18, 17), {"padding": "same"}),
    "4, strides": ((21, 20), (4, 18, 20), {"strides": [2], "padding": "same"}),
    "7": ((21, 17), (7, 18, 17), {"padding": "same"}),
}


@pytest.mark.parametrize("case", WINOGRAD_CASES)
def test_winograd(case):
    convolutions.check_winograd("conv1d_transpose", WINOGRAD_CASES[case], outputs)


@given(
    problem=convolutions.transposed_problems(1),
    bias=st.booleans(),
    batch=convolutions.BATCHES,
    algorithm=st.sampled_from([*convolutions.ALGORITHMS]),
    exact=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_drawn(problem, bias, batch, algorithm, exact, seed):
    convolutions.check(
        "conv1d_transpose",
        problem,
        outputs=outputs(problem[1]),
        bias=bias,
        batch=batch,
        algorithms=convolutions.only(algorithm),
        exact=exact,
        seed=seed,
    )
