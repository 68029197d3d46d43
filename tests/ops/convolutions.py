# SPDX-License-Identifier: Apache-2.0
"""Drawn convolutions of any number of dimensions, for the tests of each op."""

from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op

# Each with its error: Winograd's outputs take up those of their neighbours in a tile.
ALGORITHMS = {
    "auto": 2e-6,
    "lanes": 0.0,
    "planes": 0.0,
    "direct": 0.0,
    "im2col": 0.0,
    "winograd": 2e-6,
}
BATCHES = st.sampled_from([1, 2, 5, 8, 16, 19])
IMAGES = 33


def extents(most):
    return st.integers(1, most)


def lists(axes, of):
    return st.lists(of, min_size=axes, max_size=axes)


@st.composite
def windows(draw, axes, most=4):
    """Kernel size, attributes, and a size that they fit."""
    kernel = draw(lists(axes, extents(most)))
    dilation = draw(lists(axes, extents(3)))
    explicit = lists(2 * axes, st.integers(0, 2))
    padding = draw(st.sampled_from(["valid", "same"]) | explicit)
    size = []
    for axis in range(axes):
        reach = (kernel[axis] - 1) * dilation[axis] + 1
        edge = 0 if isinstance(padding, str) else sum(padding[2 * axis : 2 * axis + 2])
        least = 1 if padding == "same" else max(1, reach - edge)
        size.append(least + draw(extents(9 if axes < 3 else 4)) - 1)
    attributes = {
        "strides": draw(lists(axes, extents(3))),
        "dilation": dilation,
        "padding": padding,
    }
    return size, kernel, attributes


@st.composite
def problems(draw, axes):
    """Shapes of x and kernel, and attributes, of a convolution with groups."""
    size, kernel, attributes = draw(windows(axes, 4 if axes < 3 else 3))
    groups = draw(extents(3))
    in_c, out_c = groups * draw(extents(9)), groups * draw(extents(18))
    attributes["groups"] = groups
    return (*size, in_c), (*kernel, in_c // groups, out_c), attributes


@st.composite
def depthwise_problems(draw, axes):
    """The same of a depthwise convolution."""
    size, kernel, attributes = draw(windows(axes))
    channels, multiplier = draw(extents(40)), draw(st.sampled_from([1, 1, 2, 3]))
    return (*size, channels), (*kernel, channels, multiplier), attributes


@st.composite
def transposed_problems(draw, axes):
    """The same of a transposed convolution."""
    kernel = draw(lists(axes, extents(4 if axes < 3 else 3)))
    strides = draw(lists(axes, extents(3)))
    attributes = {"strides": strides, "dilation": draw(lists(axes, extents(3)))}
    size = draw(lists(axes, st.integers(2, 6 if axes < 3 else 3)))
    attributes["padding"] = draw(st.sampled_from(["valid", "same", "cells"]))
    if attributes["padding"] == "cells":
        attributes["padding"] = [
            draw(st.integers(0, (k - 1) // 2 if k > 1 else 0))
            for k in kernel
            for _ in range(2)
        ]
    if draw(st.booleans()):
        attributes["output_padding"] = [draw(st.integers(0, s - 1)) for s in strides]
    in_c, out_c = draw(extents(20)), draw(extents(18))
    return (*size, in_c), (*kernel, out_c, in_c), attributes


def only(*names):
    """Some of the algorithms, for check_op."""
    return {name: ALGORITHMS[name] for name in names}


def check(
    op,
    problem,
    *,
    outputs,
    bias=True,
    batch=None,
    exact=False,
    seed=1,
    algorithms=ALGORITHMS,
    **settings,
):
    """check_op on drawn arrays, exact ones where the algorithms are; batch None for
    all sizes.
    """
    x, kernel, attributes = problem
    exact = exact and not any(algorithms.values())
    draw = arrays.integers if exact else arrays.normal
    weights = [draw(seed + 1, *kernel)]
    if bias:
        weights.append(draw(seed + 2, *outputs))
    if batch is not None:
        settings |= {"batches": [batch], "coordinates": 60}
    check_op(
        op,
        [draw(seed, batch or IMAGES, *x)],
        attributes,
        parameters=weights,
        exact=exact,
        algorithms=algorithms,
        **settings,
    )


def check_pieces(op, x, kernel, attributes):
    """Whole numbers, so that every sum is exact however few images are cut."""
    groups = attributes.get("groups", 1)
    check_op(
        op,
        [arrays.integers(1, 4, *x)],
        attributes,
        parameters=[
            arrays.integers(2, *kernel[:-1], x[-1] // groups, kernel[-1]),
            arrays.integers(3, kernel[-1]),
        ],
        batches=[1, 3, 4],
        coordinates=20,
        algorithms=only("direct"),
        exact=True,
    )


def check_winograd(op, problem, outputs):
    """Forced, with batches of less and more than a part for each image."""
    check(
        op,
        problem,
        outputs=outputs(problem[1]),
        algorithms=only("winograd"),
        batches=[1, 2, 9],
        coordinates=30,
    )
