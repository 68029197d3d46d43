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
    "few steps": ((9, 90), (5, 90, 292), {"strides": [3], "padding": [4, 0]}),
    "whole": ((6, 5), (6, 5, 20), {}),
    "groups": ((9, 12), (3, 4, 6), {"groups": 3, "padding": "same"}),
}  # fmt: skip


def outputs(kernel):
    return kernel[-1:]


@pytest.mark.parametrize("case", CASES)
def test_cases(case):
    problem = CASES[case]
    convolutions.check("conv1d", problem, outputs=outputs(problem[1]))


# Tiles along the steps.
WINOGRAD_CASES = {
    "3": ((40, 17), (3, 17, 33), {"padding": "same"}),
    "3, by image": ((413, 18), (3, 18, 17), {"padding": "same"}),
    "5, causal": ((41, 20), (5, 20, 18), {"padding": [8, 0], "dilation": [2]}),
    "4, strides": ((41, 20), (4, 20, 18), {"strides": [2], "padding": "same"}),
    "7, strides": ((41, 160), (7, 160, 150), {"strides": [3], "padding": "same"}),
    "2": ((19, 5), (2, 5, 7), {}),
    "4": ((21, 17), (4, 17, 18), {"padding": "same"}),
    "9, dilated": ((41, 17), (9, 17, 18), {"padding": "same", "dilation": [2]}),
}


@pytest.mark.parametrize("case", WINOGRAD_CASES)
def test_winograd(case):
    convolutions.check_winograd("conv1d", WINOGRAD_CASES[case], outputs)


@given(
    problem=convolutions.problems(1),
    bias=st.booleans(),
    batch=convolutions.BATCHES,
    algorithm=st.sampled_from([*convolutions.ALGORITHMS]),
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
        algorithms=convolutions.only(algorithm),
        exact=exact,
        seed=seed,
    )
