# SPDX-License-Identifier: Apache-2.0
"""conv3d_transpose: Keras's sizes and crops."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops import convolutions

# x, kernel, attributes
CASES = {
    "plain": ((3, 4, 3, 3), (3, 2, 2, 4, 3), {}),
    "unet": ((3, 3, 4, 16), (2, 2, 2, 18, 16), {"strides": [2, 2, 2]}),
    "same": (
        (3, 2, 4, 5), (3, 3, 2, 6, 5), {"strides": [2, 3, 1], "padding": "same"}),
}  # fmt: skip


def outputs(kernel):
    return kernel[-2:-1]


@pytest.mark.parametrize("case", CASES)
def test_cases(case):
    problem = CASES[case]
    convolutions.check("conv3d_transpose", problem, outputs=outputs(problem[1]))


WINOGRAD_CASES = {
    "same": ((4, 5, 6, 7), (3, 3, 3, 8, 7), {"padding": "same"}),
    "strided slices": ((4, 5, 6, 7), (3, 4, 4, 8, 7), {"strides": [1, 2, 2]}),
}


@pytest.mark.parametrize("case", WINOGRAD_CASES)
def test_winograd(case):
    convolutions.check_winograd("conv3d_transpose", WINOGRAD_CASES[case], outputs)


@given(
    problem=convolutions.transposed_problems(3),
    bias=st.booleans(),
    batch=convolutions.BATCHES,
    algorithm=st.sampled_from([*convolutions.ALGORITHMS]),
    exact=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_drawn(problem, bias, batch, algorithm, exact, seed):
    convolutions.check(
        "conv3d_transpose",
        problem,
        outputs=outputs(problem[1]),
        bias=bias,
        batch=batch,
        algorithms=convolutions.only(algorithm),
        exact=exact,
        seed=seed,
    )
