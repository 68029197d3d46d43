# SPDX-License-Identifier: Apache-2.0
"""conv2d_transpose: Keras's sizes and crops."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops import convolutions

# x, kernel, attributes
CASES = {
    "plain": ((5, 6, 3), (3, 2, 4, 3), {}),
    "unet": ((5, 6, 32), (2, 2, 17, 32), {"strides": [2, 2]}),
    "gan": ((4, 5, 20), (5, 5, 18, 20), {"strides": [2, 2], "padding": "same"}),
    "stride beyond kernel": ((4, 5, 3), (2, 1, 4, 3), {"strides": [3, 4]}),
    "same, stride beyond kernel": (
        (4, 5, 3), (1, 2, 4, 3), {"strides": [3, 4], "padding": "same"}),
    "more": (
        (4, 5, 6), (3, 3, 7, 6),
        {"strides": [2, 3], "padding": "same", "output_padding": [1, 2]}),
    "dilated": ((6, 5, 4), (3, 2, 5, 4), {"dilation": [2, 3], "padding": "same"}),
    "crop": ((5, 5, 4), (4, 3, 5, 4), {"strides": [2, 2], "padding": [1, 2, 0, 1]}),
    "to one": ((5, 6, 40), (5, 5, 1, 40), {"strides": [2, 2], "padding": "same"}),
    "to three": ((7, 5, 33), (4, 3, 3, 33), {"strides": [2, 1]}),
}  # fmt: skip


def outputs(kernel):
    return kernel[-2:-1]


@pytest.mark.parametrize("case", CASES)
def test_cases(case):
    problem = CASES[case]
    convolutions.check("conv2d_transpose", problem, outputs=outputs(problem[1]))


# Where Winograd computes them: by tiles of the batch, or image by image.
WINOGRAD_CASES = {
    "plain": ((5, 6, 17), (3, 3, 18, 17), {"padding": "same"}),
    "gan": ((7, 6, 17), (4, 4, 33, 17), {"strides": [2, 2], "padding": "same"}),
    "3x3, strides": ((7, 6, 17), (3, 3, 33, 17), {"strides": [2, 2]}),
    "5x5, strides": ((6, 6, 5), (5, 5, 7, 5), {"strides": [2, 2]}),
    "crop": ((5, 5, 4), (4, 4, 5, 4), {"strides": [2, 2], "padding": [1, 2, 0, 1]}),
    "dilated": ((6, 5, 4), (3, 3, 5, 4), {"dilation": [2, 2], "padding": "same"}),
    "more": (
        (4, 4, 9), (3, 3, 9, 9),
        {"strides": [2, 2], "padding": "same", "output_padding": [1, 1]}),
    "deep": ((5, 4, 200), (4, 4, 150, 200), {"strides": [2, 2], "padding": "same"}),
    "4x4": ((8, 7, 17), (4, 4, 18, 17), {"padding": "same"}),
    "7x7": ((8, 7, 17), (7, 7, 18, 17), {"padding": "same"}),
    "13x13, strides": ((6, 7, 5), (13, 13, 6, 5), {"strides": [2, 2]}),
    "by image": ((28, 29, 17), (4, 4, 16, 17), {"strides": [2, 2], "padding": "same"}),
    "by image, dw": ((41, 42, 17), (3, 3, 16, 17), {"padding": "same"}),
    "strides, by image, dw": (
        (42, 41, 17), (3, 3, 16, 17), {"strides": [2, 2], "padding": "same"}),
}  # fmt: skip


@pytest.mark.parametrize("case", WINOGRAD_CASES)
def test_winograd(case):
    convolutions.check_winograd("conv2d_transpose", WINOGRAD_CASES[case], outputs)


@given(
    problem=convolutions.transposed_problems(2),
    bias=st.booleans(),
    batch=convolutions.BATCHES,
    algorithm=st.sampled_from([*convolutions.ALGORITHMS]),
    exact=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_drawn(problem, bias, batch, algorithm, exact, seed):
    convolutions.check(
        "conv2d_transpose",
        problem,
        outputs=outputs(problem[1]),
        bias=bias,
        batch=batch,
        algorithms=convolutions.only(algorithm),
        exact=exact,
        seed=seed,
    )
