# SPDX-License-Identifier: Apache-2.0
"""depthwise_conv2d: each channel by itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays
from pronghorn.testing.running import gradients_of, isas, run_op
from tests.ops import convolutions

# x, kernel, attributes
CASES = {
    "mobilenet": ((9, 20, 32), (3, 3, 32, 1), {"padding": "same"}),
    "mobilenet strided": (
        (10, 11, 35), (3, 3, 35, 1), {"padding": "same", "strides": [2, 2]}),
    "strips of 8 and 7": ((6, 15, 37), (3, 3, 37, 1), {"padding": "same"}),
    "strips strided": (
        (6, 32, 37), (3, 3, 37, 1), {"padding": "same", "strides": [2, 2]}),
    "2x3 taps": ((9, 16, 32), (2, 3, 32, 1), {"strides": [2, 2]}),
    "two strides": ((9, 16, 32), (3, 2, 32, 1), {"strides": [1, 2]}),
    "few channels": ((8, 9, 3), (3, 3, 3, 1), {}),
    "one channel": ((8, 9, 1), (3, 3, 1, 5), {"padding": "same"}),
    "5x5": ((11, 12, 17), (5, 5, 17, 1), {"padding": "same"}),
    "7x7 on little": ((4, 5, 16), (7, 7, 16, 1), {"padding": "same"}),
    "dilated": ((12, 11, 19), (3, 2, 19, 1), {"dilation": [2, 3]}),
    "explicit": ((6, 7, 4), (3, 3, 4, 1), {"padding": [2, 0, 1, 3]}),
    "beyond the kernel": ((3, 3, 4), (2, 2, 4, 1), {"padding": [3, 2, 4, 1]}),
    "multiplier": ((7, 8, 6), (3, 3, 6, 3), {"padding": "same", "strides": [2, 1]}),
    "stride skips cells": ((9, 9, 18), (1, 2, 18, 1), {"strides": [4, 3]}),
    "5x5 strided": (
        (11, 18, 17), (5, 5, 17, 1), {"padding": "same", "strides": [2, 2]}),
    "7x7": ((4, 19, 20), (7, 7, 20, 1), {"padding": "same"}),
    "7x7 strided": (
        (9, 20, 20), (7, 7, 20, 1), {"padding": "same", "strides": [2, 2]}),
    "4x6": ((9, 12, 12), (4, 6, 12, 1), {"padding": "same"}),
    "11 taps": ((2, 13, 9), (1, 11, 9, 1), {"padding": "same"}),
    "dilated far": ((9, 9, 19), (3, 3, 19, 1), {"padding": "same", "dilation": [4, 4]}),
    "dilated and strided": (
        (9, 20, 11), (3, 3, 11, 1), {"padding": [2, 2, 2, 2], "strides": [1, 2],
        "dilation": [2, 4]}),
    "1x1": ((5, 6, 21), (1, 1, 21, 1), {}),
}  # fmt: skip


def outputs(kernel):
    return (kernel[-1] * kernel[-2],)


@pytest.mark.parametrize("case", CASES)
def test_cases(case):
    """Planes and Winograd take no groups: with several channels they, forced, would be
    im2col and "auto" once more.
    """
    problem = CASES[case]
    some = convolutions.only("auto", "lanes", "direct", "im2col")
    algorithms = convolutions.ALGORITHMS if problem[0][-1] == 1 else some
    convolutions.check(
        "depthwise_conv2d",
        problem,
        outputs=outputs(problem[1]),
        algorithms=algorithms,
    )


@pytest.mark.parametrize("multiplier", [1, 4])
@pytest.mark.parametrize("strides", [[1, 1], [2, 2], [1, 2]])
def test_pixels_at_2_kb(strides, multiplier):
    """Pixels are copied with gaps between them; those of half the channels are not.

    Four images: of fewer, all the channels would be cut into pieces, not half of them.
    """
    channels = 512 // multiplier
    x = arrays.normal(1, 4, 19, 6, channels)
    w = arrays.normal(2, 3, 3, channels, multiplier)
    b = arrays.normal(3, 512)
    attributes = {"padding": "same", "strides": strides}

    def run(isa, some):
        parts = [x[..., some], w[:, :, some], b.reshape(channels, -1)[some].ravel()]
        arguments = parts[:1], attributes, parts[1:], isa
        return [
            run_op("depthwise_conv2d", *arguments),
            *gradients_of("depthwise_conv2d", *arguments),
        ]

    for isa in isas():
        whole = run(isa, slice(None))
        halves = run(isa, slice(channels // 2)), run(isa, slice(channels // 2, None))
        for one, first, second in zip(whole, *halves, strict=True):
            axis = 2 if one.shape == w.shape else -1
            np.testing.assert_array_equal(one, np.concatenate([first, second], axis))


@given(
    problem=convolutions.depthwise_problems(2),
    bias=st.booleans(),
    batch=convolutions.BATCHES,
    algorithm=st.sampled_from([*convolutions.ALGORITHMS]),
    exact=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_drawn(problem, bias, batch, algorithm, exact, seed):
    convolutions.check(
        "depthwise_conv2d",
        problem,
        outputs=outputs(problem[1]),
        bias=bias,
        batch=batch,
        algorithms=convolutions.only(algorithm),
        exact=exact,
        seed=seed,
    )
