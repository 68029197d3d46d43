# SPDX-License-Identifier: Apache-2.0
"""conv2d: every algorithm, every argument, odd sizes, and sums that must be exact."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import add_inputs, add_parameters
from tests.ops.convolutions import ALGORITHMS, check_pieces, only

IMAGES = 33

# (in_h, in_w, in_c), (kernel_h, kernel_w, out_c), bias, attributes
CASES = {
    "lenet first": ((12, 13, 1), (5, 5, 6), True, {}),
    "lenet first same": ((9, 8, 1), (5, 5, 6), True, {"padding": "same"}),
    "lenet second": ((8, 9, 6), (5, 5, 16), True, {}),
    "rgb": ((9, 9, 3), (3, 3, 20), True, {"padding": "same"}),
    "caffe": ((7, 6, 20), (5, 5, 50), True, {}),
    "wide": ((6, 5, 32), (3, 3, 33), False, {"padding": "same"}),
    "wider": ((4, 4, 64), (3, 3, 64), True, {"padding": "same"}),
    "1x1": ((5, 7, 19), (1, 1, 21), True, {}),
    "1x1, packed": ((3, 4, 71), (1, 1, 130), True, {}),
    "1x1 on few pixels": ((1, 2, 150), (1, 1, 141), True, {}),
    "1x1 strided": ((5, 7, 16), (1, 1, 32), False, {"strides": [2, 2]}),
    "strided": ((11, 10, 5), (3, 2, 7), True, {"strides": [2, 3]}),
    "strided same": (
        (11, 10, 3), (3, 4, 7), True, {"strides": [3, 2], "padding": "same"}),
    "stride skips cells": ((9, 9, 2), (1, 2, 3), True, {"strides": [4, 3]}),
    "explicit padding": ((6, 7, 4), (3, 3, 5), True, {"padding": [2, 0, 1, 3]}),
    "padding beyond kernel": ((3, 3, 2), (2, 2, 3), True, {"padding": [3, 2, 4, 1]}),
    "dilated": ((12, 11, 3), (3, 2, 4), True, {"dilation": [2, 3]}),
    "dilated same": (
        (9, 10, 8), (3, 3, 8), True, {"dilation": [2, 2], "padding": "same"}),
    "groups": ((6, 6, 6), (3, 3, 9), True, {"groups": 3}),
    "depthwise": ((6, 6, 5), (3, 3, 5), True, {"groups": 5, "padding": "same"}),
    "one cell": ((1, 1, 1), (1, 1, 1), True, {}),
    "whole image": ((4, 5, 3), (4, 5, 8), True, {}),
    "whole image, wide": ((3, 4, 21), (3, 4, 70), False, {"strides": [2, 1]}),
    "kernel larger, same": ((2, 3, 2), (5, 5, 3), True, {"padding": "same"}),
    "few cells": (
        (5, 4, 40), (3, 4, 275), True, {"strides": [2, 3], "padding": "same"}),
    "few cells, dilated": ((6, 5, 70), (2, 3, 315), False, {"dilation": [3, 2]}),
    "to one": ((9, 10, 35), (3, 3, 1), True, {"padding": "same"}),
    "to two": ((8, 7, 70), (2, 4, 2), True, {"strides": [2, 1]}),
    "to three": ((7, 6, 40), (5, 5, 3), True, {"padding": "same"}),
    "to four": ((9, 8, 19), (3, 2, 4), False, {"dilation": [2, 1], "padding": "same"}),
    "to one cell by cell": ((5, 7, 130), (1, 1, 1), True, {}),
    "to two, deep": ((3, 4, 600), (2, 2, 2), True, {}),
    "of two": ((8, 9, 2), (3, 3, 33), True, {"strides": [2, 1], "padding": "same"}),
    "one row": ((1, 40, 2), (1, 3, 4), True, {}),
    "tall": ((40, 1, 3), (5, 1, 2), False, {"padding": "same"}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_cases(case):
    x, kernel, bias, attributes = CASES[case]
    groups = attributes.get("groups", 1)
    weights = [arrays.normal(2, *kernel[:2], x[2] // groups, kernel[2])]
    if bias:
        weights.append(arrays.normal(3, kernel[2]))
    check_op(
        "conv2d",
        [arrays.normal(1, IMAGES, *x)],
        attributes,
        parameters=weights,
        algorithms=ALGORITHMS,
    )


# Few images, each of some million multiplications: cut into pieces.
LARGE_CASES = {
    "rows": ((21, 20, 24), (3, 3, 33), {"padding": "same"}),
    "columns": ((5, 7, 161), (3, 3, 170), {"padding": "same"}),
    "1x1": ((31, 30, 50), (1, 1, 60), {}),
    "1x1 strided": ((57, 59, 40), (1, 1, 70), {"strides": [2, 2]}),
    "columns skip cells": ((9, 8, 300), (1, 1, 290), {"strides": [2, 3]}),
    "strided same": ((41, 42, 32), (3, 3, 35), {"strides": [2, 2], "padding": "same"}),
    "stride beyond kernel": ((60, 61, 24), (2, 3, 40), {"strides": [3, 4]}),
    "first layer": ((61, 60, 3), (7, 7, 20), {"strides": [2, 2], "padding": "same"}),
    "dilated": ((24, 23, 20), (3, 2, 40), {"dilation": [2, 3], "padding": "same"}),
    "padding beyond kernel": ((19, 18, 30), (2, 2, 60), {"padding": [9, 2, 4, 1]}),
    "few rows": ((3, 200, 30), (3, 3, 40), {}),
    "to three": ((40, 61, 70), (3, 3, 3), {"padding": "same"}),
    "wide": ((21, 60, 20), (3, 4, 30), {"strides": [2, 1], "padding": "same"}),
    "wide, dilated": (
        (20, 70, 16), (3, 3, 24), {"dilation": [1, 3], "padding": "same"}),
    "wide groups": (
        (19, 62, 32), (3, 3, 40), {"groups": 2, "padding": [1, 0, 2, 5]}),
    "strided groups": ((43, 41, 60), (3, 3, 96), {"groups": 4, "strides": [2, 2]}),
    "groups skip cells": (
        (70, 60, 96), (2, 1, 99), {"groups": 3, "strides": [3, 2], "padding": "same"}),
    "rows of padding": ((20, 50, 30), (3, 3, 20), {"padding": [7, 4, 1, 1]}),
}  # fmt: skip


@pytest.mark.parametrize("case", LARGE_CASES)
def test_pieces_of_large_images(case):
    check_pieces("conv2d", *LARGE_CASES[case])


@pytest.mark.parametrize("isa", _core.supported_isas())
@pytest.mark.parametrize("attributes", [{"padding": "same"}, {"strides": [2, 2]}])
@pytest.mark.parametrize("size", [(21, 20), (9, 8)])
def test_pieces_of_images_with_relu(isa, attributes, size):
    """Whole numbers: four images, by image, have four times the gradients of one.

    A small one is cut in halves where there are weights for more than one L2.
    """
    unused = np.zeros(1 << 21, np.float32)
    x = arrays.integers(1, 1, *size, 24)
    weights = [
        arrays.integers(2, 3, 3, 24, 40),
        arrays.integers(3, 40),
        arrays.integers(4, 3, 3, 40, 36),
        arrays.integers(5, 36),
    ]
    found = []
    for batch in (1, 4):
        graph = _core.Graph(batch, True, isa)
        y = graph.input(x.shape[1:], "float32", True)
        *parameters, _ = add_parameters(graph, [*weights, unused], True)
        for i in (0, 2):
            y = graph.add("conv2d", [y, *parameters[i : i + 2]], attributes)
            y = graph.add("activation", [y], {"kind": "relu"})
        loss = graph.add("mean_absolute_error", [y, graph.input(graph.shape(y)[1:])])
        size = float(np.prod(graph.shape(y)[1:]))
        plan = graph.compile(losses=[(loss, -1, "sum", size)], conv_algorithm="direct")
        target = np.full((batch, *graph.shape(y)[1:]), 5, np.float32)
        images = np.repeat(x, batch, axis=0)
        found.append(plan.gradients([images, target], np.arange(batch)))
    (dx, *of_one), (dx_4, *of_four) = found
    assert dx.any()
    np.testing.assert_array_equal(np.repeat(dx, 4, axis=0), dx_4)
    for one, four in zip(of_one, of_four, strict=True):
        np.testing.assert_array_equal(4 * one, four)


STRIDES, DILATION = ("strides", [2, 2]), ("dilation", [2, 2])

# Blocks of tiles and of channels that come out uneven.
WINOGRAD_CASES = {
    "one tile": ((4, 4, 16), (3, 16), "same"),
    "less than a tile": ((3, 4, 17), (3, 33), "valid"),
    "padding without image": ((1, 2, 3), (3, 5), [4, 3, 3, 5]),
    "rows of tiles": ((5, 23, 33), (3, 50), "same"),
    "columns of tiles": ((31, 2, 50), (3, 17), [0, 1, 2, 2]),
    "deep": ((7, 9, 300), (3, 40), "same"),
    "wide": ((9, 7, 40), (3, 300), "valid"),
    "both": ((6, 5, 160), (3, 200), "same"),
    "5x5, one tile": ((6, 6, 16), (5, 16), "valid"),
    "5x5, less than a tile": ((5, 5, 33), (5, 17), "valid"),
    "5x5, padding without image": ((1, 2, 3), (5, 5), [6, 5, 5, 7]),
    "5x5, rows of tiles": ((5, 17, 33), (5, 50), "same"),
    "5x5, columns of tiles": ((15, 2, 50), (5, 17), [0, 1, 3, 4]),
    "5x5, deep": ((3, 5, 300), (5, 40), "same"),
    "5x5, wide": ((7, 9, 40), (5, 300), "valid"),
    "5x5, both": ((2, 3, 160), (5, 200), "same"),
    # A kernel falls into stride x stride phases, an image into dilation x dilation.
    "2x2": ((8, 9, 17), (2, 20), "same"),
    "3x3, strides": ((9, 10, 17), (3, 18), "same", STRIDES),
    "4x4, strides": ((9, 10, 17), (4, 33), "same", STRIDES),
    "4x4, strides, padding without image": ((5, 3, 3), (4, 5), [5, 4, 3, 6], STRIDES),
    "4x4, strides, both": ((6, 7, 160), (4, 200), "same", STRIDES),
    "5x5, strides": ((8, 7, 5), (5, 7), "valid", STRIDES),
    "6x6, strides": ((11, 12, 20), (6, 16), [1, 2, 2, 0], STRIDES),
    "7x7, strides of 3": ((14, 13, 17), (7, 18), [2, 3, 1, 2], ("strides", [3, 3])),
    "3x3, strides, both": ((7, 6, 160), (3, 200), "valid", STRIDES),
    "3x3, strides, padding without image": ((5, 3, 3), (3, 5), [5, 4, 3, 6], STRIDES),
    "5x5, strides of 3": ((13, 14, 16), (5, 17), "same", ("strides", [3, 3])),
    "10x10, strides": ((17, 18, 6), (10, 7), "same", STRIDES),
    "4x4": ((8, 9, 17), (4, 20), "same"),
    "4x4, padding without image": ((1, 2, 3), (4, 5), [5, 4, 4, 6]),
    "4x4, both": ((6, 5, 160), (4, 200), [1, 1, 0, 0]),
    "10x10, strides of 3": ((17, 18, 6), (10, 7), "same", ("strides", [3, 3])),
    # Kernels of more taps fall into blocks.
    "6x6": ((9, 8, 17), (6, 18), "same"),
    "7x7": ((9, 8, 17), (7, 18), "same"),
    "7x7, padding without image": ((1, 2, 3), (7, 5), [8, 7, 7, 9]),
    "7x7, both": ((7, 6, 140), (7, 130), "same"),
    "11x11": ((12, 13, 5), (11, 7), "valid"),
    "13x13, strides": ((18, 17, 5), (13, 6), "same", STRIDES),
    "7x7, dilation": ((15, 18, 7), (7, 9), "same", DILATION),
    "2x3": ((8, 9, 17), ((2, 3), 18), "same"),
    "6x4": ((8, 9, 17), ((6, 4), 18), "same"),
    "dilation": ((12, 9, 7), (3, 18), "same", DILATION),
    "large dilation": ((4, 9, 7), (3, 18), [6, 5, 5, 6], ("dilation", [5, 5])),
    "5x5, dilation": ((14, 17, 7), (5, 18), "valid", ("dilation", [3, 3])),
}


def check_winograd(case, batches, coordinates):
    x, (taps, out_c), padding, *more = case
    kernel = taps if isinstance(taps, tuple) else (taps, taps)
    check_op(
        "conv2d",
        [arrays.normal(1, batches[-1], *x)],
        {"padding": padding, **dict(more)},
        parameters=[arrays.normal(2, *kernel, x[2], out_c), arrays.normal(3, out_c)],
        batches=batches,
        coordinates=coordinates,
        algorithms=only("winograd"),
    )


@pytest.mark.parametrize("case", WINOGRAD_CASES)
def test_winograd(case):
    check_winograd(WINOGRAD_CASES[case], [1, 2, 19], 60)


# An image has tiles enough to be a slice by itself: for y and dx alone, or dw as well.
WINOGRAD_BY_IMAGE = {
    "no dw": ((27, 26, 17), (3, 34), "same"),
    "dw": ((41, 43, 17), (3, 33), [1, 0, 2, 1]),
    "dw, blocks of channels": ((39, 40, 18), (3, 131), "same"),
    "5x5, no dw": ((15, 16, 18), (5, 17), "valid"),
    "5x5, dw": ((50, 49, 16), (5, 17), "same"),
    "3x3, strides, dw": ((81, 83, 17), (3, 18), "same", STRIDES),
    "4x4, strides, no dw": ((57, 56, 17), (4, 18), "same", STRIDES),
    "4x4, strides, dw": ((81, 83, 16), (4, 17), "valid", STRIDES),
    "dilation, dw": ((41, 44, 16), (3, 17), "same", ("dilation", [3, 3])),
    "4x4, dw": ((41, 44, 16), (4, 17), "same"),
    "7x7, dw": ((60, 65, 5), (7, 6), "same"),
}


@pytest.mark.parametrize("case", WINOGRAD_BY_IMAGE)
def test_winograd_by_image(case):
    """With 8 images and more; 21 of them make parts of one and of two slices."""
    check_winograd(WINOGRAD_BY_IMAGE[case], [7, 8, 21], 20)


def rms(got, expected):
    return np.sqrt(((got - expected) ** 2).mean() / (expected**2).mean())


def winograd_plan(isa, arrays_of, stride, training):
    """A convolution, or its gradients at the negative target, of [x], [w]."""
    (x,), weights = arrays_of
    graph = _core.Graph(len(x), training, isa)
    tensors = add_inputs(graph, [x], (0,) if training else ())
    tensors += add_parameters(graph, weights, training)
    attributes = {"strides": [stride, stride], "padding": "same"}
    y = graph.add("conv2d", tensors, attributes)
    if not training:
        return graph.compile(outputs=[y], conv_algorithm="winograd")
    target = graph.input(graph.shape(y)[1:], "float32")
    error = graph.add("mean_squared_error", [y, target], {})
    size = float(np.prod(graph.shape(y)))
    loss = (error, -1, "sum_over_batch_size", size / 2)
    return graph.compile(losses=[loss], conv_algorithm="winograd")


@pytest.mark.parametrize("isa", _core.supported_isas())
@pytest.mark.parametrize("channels", [(128, 128), (64, 32), (512, 33), (33, 512)])
@pytest.mark.parametrize(
    ("taps", "stride"), [(3, 1), (4, 1), (5, 1), (7, 1), (3, 2), (4, 2), (5, 2)]
)
def test_winograd_errs_by_a_millionth(isa, taps, stride, channels):
    in_c, out_c = channels
    size = [14 * stride, 15 * stride]
    x, w = arrays.normal(1, 2, *size, in_c), arrays.normal(2, taps, taps, in_c, out_c)
    # So large that the gradient at y, y + huge, is known to the last bit.
    huge = 1e9 * arrays.normal(3, 2, 14, 15, out_c)
    before = (taps - stride) // 2
    edges = (before, taps - stride - before)
    padded = np.pad(x.astype(np.float64), [(0, 0), edges, edges, (0, 0)])
    y, dx, dw = np.zeros(huge.shape), np.zeros(padded.shape), np.zeros(w.shape)
    for i, j in itertools.product(range(taps), repeat=2):
        rows = slice(i, i + 14 * stride, stride)
        part = (slice(None), rows, slice(j, j + 15 * stride, stride))
        y += padded[part] @ w[i, j].astype(np.float64)
        dx[part] += huge.astype(np.float64) @ w[i, j].T
        dw[i, j] = np.einsum("nhwc,nhwk->ck", padded[part], huge.astype(np.float64))
    dx = dx[:, before : before + size[0], before : before + size[1]]
    found = np.empty(y.shape, np.float32)
    plan = winograd_plan(isa, ([x], [w]), stride, False)
    plan.run([x], np.arange(2), [found])
    plan = winograd_plan(isa, ([x], [w]), stride, True)
    found_dx, found_dw = plan.gradients([x, -huge], np.arange(2))
    assert rms(found, y) < 1e-6
    assert rms(found_dx, dx) < 1e-6
    assert rms(found_dw, dw) < 1e-6


def extents(most):
    return st.integers(1, most)


@st.composite
def problems(draw):
    """Any convolution that has an output."""
    groups = draw(extents(3))
    kernel = [draw(extents(4)), draw(extents(4))]
    dilation = [draw(extents(3)), draw(extents(3))]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    explicit = st.lists(st.integers(0, 2), min_size=4, max_size=4)
    padding = draw(st.sampled_from(["valid", "same"]) | explicit)
    edge = [0, 0] if isinstance(padding, str) else [sum(padding[:2]), sum(padding[2:])]
    least = (
        [1, 1]
        if padding == "same"
        else [r - e for r, e in zip(reach, edge, strict=True)]
    )
    size = [max(1, low) + draw(extents(9)) - 1 for low in least]
    attributes = {
        "strides": [draw(extents(3)), draw(extents(3))],
        "dilation": dilation,
        "padding": padding,
        "groups": groups,
    }
    in_c, out_c = groups * draw(extents(9)), groups * draw(extents(18))
    return (*size, in_c), (*kernel, in_c // groups, out_c), attributes


@given(
    problem=problems(),
    bias=st.booleans(),
    batch=st.sampled_from([1, 2, 5, 8, 16, 19]),
    algorithm=st.sampled_from([*ALGORITHMS]),
    seed=st.integers(0, 1000),
)
def test_drawn(problem, bias, batch, algorithm, seed):
    x, kernel, attributes = problem
    weights = [arrays.normal(seed + 1, *kernel)]
    if bias:
        weights.append(arrays.normal(seed + 2, kernel[-1]))
    check_op(
        "conv2d",
        [arrays.normal(seed, batch, *x)],
        attributes,
        parameters=weights,
        batches=[batch],
        coordinates=60,
        algorithms=only(algorithm),
    )


@pytest.mark.parametrize("algorithm", [*ALGORITHMS][1:-1])
@given(problem=problems(), batch=st.sampled_from([1, 4, 17]), seed=st.integers(0, 99))
def test_whole_numbers_are_exact(problem, batch, algorithm, seed):
    x, kernel, attributes = problem
    check_op(
        "conv2d",
        [arrays.integers(seed, batch, *x)],
        attributes,
        parameters=[
            arrays.integers(seed + 1, *kernel),
            arrays.integers(seed + 2, kernel[-1]),
        ],
        batches=[batch],
        coordinates=60,
        algorithms=only(algorithm),
        exact=True,
    )
