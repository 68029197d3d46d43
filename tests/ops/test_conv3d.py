# SPDX-License-Identifier: Apache-2.0
"""conv3d: volumes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops import convolutions

# x, kernel, attributes
CASES = {
    "plain": ((5, 6, 7, 2), (3, 2, 3, 2, 5), {}),
    "same": ((4, 5, 6, 3), (3, 3, 3, 3, 17), {"padding": "same"}),
    "wide": ((3, 4, 5, 33), (2, 3, 3, 33, 18), {}),
    "strided same": (
        (7, 6, 5, 4), (3, 3, 3, 4, 5), {"strides": [2, 3, 2], "padding": "same"}),
    "dilated": ((7, 7, 8, 2), (3, 2, 3, 2, 4), {"dilation": [2, 3, 2]}),
    "explicit": ((4, 3, 5, 2), (3, 3, 2, 2, 3), {"padding": [2, 0, 1, 3, 0, 1]}),
    "groups": ((4, 5, 5, 6), (3, 3, 3, 2, 9), {"groups": 3, "padding": "same"}),
    "depthwise": ((4, 5, 5, 6), (3, 3, 3, 1, 6), {"groups": 6, "padding": "same"}),
    "few cells": ((3, 4, 3, 40), (2, 2, 3, 40, 275), {"strides": [1, 2, 1]}),
    "whole volume": ((2, 3, 2, 5), (2, 3, 2, 5, 66), {}),
    "stride skips cells": ((7, 7, 9, 2), (1, 2, 1, 2, 3), {"strides": [4, 3, 2]}),
}  # fmt: skip


def outputs(kernel):
    return kernel[-1:]


@pytest.mark.parametrize("case", CASES)
def test_cases(case):
    problem = CASES[case]
    convolutions.check("conv3d", problem, outputs=outputs(problem[1]))


# Few volumes, each of some million multiplications: cut into slices.
LARGE_CASES = {
    "same": ((6, 14, 15, 12), (3, 3, 3, 20), {"padding": "same"}),
    "strided same": (
        (9, 22, 23, 10), (3, 3, 3, 36), {"strides": [2, 2, 2], "padding": "same"}),
    "first layer": ((12, 25, 26, 1), (3, 5, 5, 9), {"padding": "same"}),
    "cells alone": ((7, 17, 16, 33), (1, 1, 1, 35), {}),
    "skips cells": ((13, 24, 22, 40), (2, 1, 2, 50), {"strides": [3, 2, 2]}),
    "one slice": ((3, 30, 31, 12), (3, 3, 2, 20), {}),
    "padding beyond kernel": (
        (4, 13, 12, 16), (2, 2, 2, 20), {"padding": [5, 3, 1, 0, 2, 1]}),
    "dilated": ((9, 15, 14, 15), (2, 3, 2, 33), {"dilation": [3, 2, 1]}),
    "groups": (
        (7, 19, 18, 32), (3, 3, 3, 40), {"groups": 4, "strides": [2, 1, 2]}),
}  # fmt: skip


@pytest.mark.parametrize("case", LARGE_CASES)
def test_pieces_of_large_volumes(case):
    convolutions.check_pieces("conv3d", *LARGE_CASES[case])


# Sums of convolutions of slices.
WINOGRAD_CASES = {
    "same": ((5, 7, 6, 17), (3, 3, 3, 17, 18), {"padding": "same"}),
    "dilated": ((5, 7, 9, 17), (2, 3, 3, 17, 18), {"dilation": [2, 1, 3]}),
    "by image": ((6, 29, 30, 17), (2, 3, 3, 17, 16), {}),
    "padding beyond kernel": (
        (3, 7, 6, 7), (3, 3, 3, 7, 8), {"padding": [5, 3, 1, 1, 0, 2]}),
    "strided slices": (
        (4, 8, 9, 7), (3, 4, 4, 7, 9), {"strides": [1, 2, 2], "padding": "same"}),
    "strided slices, 3x3": ((4, 8, 9, 17), (2, 3, 3, 17, 18), {"strides": [1, 2, 2]}),
    "one slice of the kernel": ((4, 8, 9, 20), (1, 5, 5, 20, 33), {}),
    "large slices": ((4, 8, 9, 6), (2, 7, 7, 6, 7), {"padding": "same"}),
}  # fmt: skip


@pytest.mark.parametrize("case", WINOGRAD_CASES)
def test_winograd(case):
    convolutions.check_winograd("conv3d", WINOGRAD_CASES[case], outputs)


@given(
    problem=convolutions.problems(3),
    bias=st.booleans(),
    batch=convolutions.BATCHES,
    algorithm=st.sampled_from([*convolutions.ALGORITHMS]),
    exact=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_drawn(problem, bias, batch, algorithm, exact, seed):
    convolutions.check(
        "conv3d",
        problem,
        outputs=outputs(problem[1]),
        bias=bias,
        batch=batch,
        algorithms=convolutions.only(algorithm),
        exact=exact,
        seed=seed,
    )
