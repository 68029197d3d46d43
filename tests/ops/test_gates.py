# SPDX-License-Identifier: Apache-2.0
"""A ReLU's gate: where others mask its gradient, the convolution before it need not.

Gradients with fusion against those without, where every ReLU masks its own, on every
algorithm and instruction set; and which of a plan's stages read what.
"""

import numpy as np
import pytest

from pronghorn._native import core as _core
from pronghorn.testing import arrays
from pronghorn.testing.running import isas, with_threads

SAME, STRIDES = {"padding": "same"}, {"strides": [2, 2], "padding": "same"}


def signs(seed, *shape):
    """-1, 0 and 1."""
    return np.sign(arrays.integers(seed, *shape))


class Network:
    """A graph with trainable weights. No ReLU is near its bend, where rounding rules.

    What a convolution makes of whole numbers is whole; a half lies between. What the
    next one makes of halves are halves, or quarters of squares, and so on.
    """

    def __init__(self, graph, shape, trainable=True):
        self.graph, self.count, self.trainable = graph, 0, trainable
        self.x = graph.input(shape, "float32", True)

    def add(self, op, *inputs, **attributes):
        return self.graph.add(op, list(inputs), attributes)

    def parameter(self, *shape, offset=0.0):
        buffer = _core.Buffer(shape)
        buffer.array[...] = signs(self.count, *shape) + np.float32(offset)
        self.count += 1
        return self.graph.parameter(buffer, self.trainable)

    def conv(self, x, kernel, op="conv2d", **attributes):
        """With a bias and a ReLU."""
        out_c = kernel[-2] * kernel[-1] if "depthwise" in op else kernel[-1]
        out_c = kernel[-2] if "transpose" in op else out_c
        offset = 0.5 ** (self.count + 1)  # 1/2, 1/8, 1/32
        weights = self.parameter(*kernel), self.parameter(out_c, offset=offset)
        x = self.add(op, x, *weights, **attributes)
        return self.add("activation", x, kind="relu")


def behind(kernel, first=(3, 3, 3, 18), op="conv2d", **attributes):
    """A convolution that alone reads another one's ReLU."""

    def build(net):
        x = net.conv(net.x, first, op.removeprefix("depthwise_"), **SAME)
        return net.conv(x, kernel, op, **attributes)

    return build


def skip(net):
    """U-Net's connection: a pool and a concatenation.

    The pool meets equal numbers, which Winograd of 3 x 3 would tell apart by rounding.
    """
    x = net.conv(net.x, (1, 1, 3, 17))
    pooled = net.add("max_pool2d", x, pool_size=[2, 2])
    y = net.conv(pooled, (3, 3, 17, 19), **SAME)
    y = net.add("upsample_nearest", y, size=[2, 2])
    return net.conv(net.add("concatenate", y, x), (3, 3, 36, 5), **SAME)


def transposed(out_c):
    """Takes a gate, and gives its own."""

    def build(net):
        x = net.conv(net.x, (3, 3, 3, 18), **SAME)
        x = net.conv(x, (2, 2, out_c, 18), "conv2d_transpose", strides=[2, 2])
        return net.conv(x, (3, 3, out_c, 4), **STRIDES)

    return build


def transposed_twice(kernel, **attributes):
    """Masks dy by itself, as its readers do not."""

    def build(net):
        x = net.conv(net.x, (3, 3, 3, kernel[-1]), **SAME)
        x = net.conv(x, kernel, "conv2d_transpose", **attributes)
        return net.add("concatenate", net.conv(x, (1, 1, kernel[-2], 3)), x)

    return build


def transposed_steps(net):
    """So many channels that dy is masked in blocks of pixels."""
    x = net.conv(net.x, (3, 3, 18), "conv1d", **SAME)
    x = net.conv(x, (3, 1500, 18), "conv1d_transpose", **SAME)
    return net.add("concatenate", net.conv(x, (1, 1500, 3), "conv1d"), x)


def residual(net):
    """A sum passes its gradient on as it is."""
    x = net.conv(net.x, (3, 3, 3, 9), **SAME)
    return net.add("binary", net.conv(x, (3, 3, 9, 9), **SAME), x, kind="add")


def doubled(net):
    """One op reads the same tensor twice."""
    x = net.conv(net.x, (3, 3, 3, 9), **SAME)
    return net.conv(net.add("binary", x, x, kind="multiply"), (1, 1, 9, 4))


def three(net):
    """Among the readers one that sends no gradient, and views."""
    x = net.conv(net.x, (3, 3, 3, 20), **SAME)
    size = int(np.prod(net.graph.shape(x)[1:]))
    parts = [net.conv(x, (1, 1, 20, 18)), net.conv(x, (3, 3, 20, 33), **STRIDES), x]
    parts.append(net.add("unary", x, kind="sign"))
    flat = [net.add("flatten", part) for part in parts]
    assert net.graph.shape(flat[2])[1:] == (size,)
    return net.add("concatenate", *flat)


def one_term(net):
    """Of two readers one sends no gradient: a comparison is all that reads it."""
    x = net.conv(net.x, (3, 3, 3, 18), **SAME)
    y, other = (net.conv(x, (3, 3, 18, 5), **SAME) for _ in range(2))
    return net.add("binary", y, net.add("binary", other, y, kind="greater"), kind="add")


def watched(net):
    """The gradient by an activation is reported as it is, without the mask."""
    x = net.conv(net.x, (3, 3, 3, 9), **SAME)
    zeros = net.graph.input(net.graph.shape(x)[1:], "float32", True)
    x = net.add("binary", x, zeros, kind="add")
    return net.add("concatenate", net.conv(x, (1, 1, 9, 6)), x)


# Shape of an image, the network.
CASES = {
    "1x1": ((8, 10, 3), behind((1, 1, 18, 5))),
    "1x1, many channels": ((6, 6, 3), behind((1, 1, 1100, 18), (1, 1, 3, 1100))),
    "1x1 on few pixels": ((1, 1, 3), behind((1, 1, 150, 140), (1, 1, 3, 150))),
    "3x3": ((8, 10, 3), behind((3, 3, 18, 33), **SAME)),
    "strides": ((8, 10, 3), behind((3, 3, 18, 7), **STRIDES)),
    "strides pass over cells": ((8, 10, 3), behind((1, 2, 18, 7), strides=[3, 3])),
    "few channels": ((9, 35, 2), behind((3, 3, 4, 3), (3, 3, 2, 4), **SAME)),
    "groups": ((8, 10, 3), behind((3, 3, 6, 15), groups=3, **SAME)),
    "depthwise": ((8, 10, 6), behind((3, 3, 18, 2), (3, 3, 6, 18), "depthwise_conv2d")),
    "5x5": ((8, 10, 17), behind((5, 5, 17, 17), (1, 1, 17, 17), **SAME)),
    "padding outweighs": (
        (8, 10, 3), behind((3, 3, 18, 5), dilation=[300, 300], **SAME)),
    "large": ((40, 41, 3), behind((3, 3, 24, 40), (1, 1, 3, 24), **STRIDES)),
    "large, columns": ((16, 16, 3), behind((5, 5, 80, 70), (1, 1, 3, 80), **STRIDES)),
    "large, groups": ((30, 31, 3), behind((3, 3, 8, 42), (1, 1, 3, 24), groups=3)),
    "large, depthwise": (
        (60, 61, 3), behind((3, 3, 40, 1), (1, 1, 3, 40), "depthwise_conv2d", **SAME)),
    "large, volume": (
        (5, 14, 15, 2), behind((2, 3, 3, 18, 20), (1, 1, 1, 2, 18), "conv3d")),
    "steps": ((31, 3), behind((4, 18, 9), (3, 3, 18), "conv1d", strides=[2])),
    "volume": ((5, 6, 7, 2), behind((2, 2, 3, 18, 4), (1, 2, 2, 2, 18), "conv3d")),
    "transposed": ((8, 10, 3), transposed(7)),
    "transposed, large": ((24, 26, 3), transposed(60)),
    "transposed, two readers": (
        (8, 10, 3), transposed_twice((3, 3, 17, 18), **SAME)),
    "transposed, large, two readers": (
        (24, 26, 3), transposed_twice((2, 2, 60, 18), strides=[2, 2])),
    "transposed, large, kept size": (
        (9, 10, 3), transposed_twice((4, 4, 60, 36), padding=[2, 1, 1, 2])),
    "transposed steps": ((41, 3), transposed_steps),
    "skip": ((12, 10, 3), skip),
    "residual": ((8, 10, 3), residual),
    "doubled": ((8, 10, 3), doubled),
    "three": ((8, 10, 3), three),
    "one term": ((8, 10, 3), one_term),
    "watched": ((8, 10, 3), watched),
}  # fmt: skip


def plan_of(case, batch, isa="", trainable=True, **choices):
    """The plan, and what to feed it."""
    shape, build = CASES[case]
    graph = _core.Graph(batch, True, isa)
    net = Network(graph, shape, trainable)
    feeds = [signs(50, batch, *shape)]
    y = net.add("flatten", build(net))
    size = graph.shape(y)[1]
    if case == "watched":
        feeds.append(np.zeros((batch, 8, 10, 9), np.float32))
    target = graph.input((size,))
    feeds.append(arrays.normal(51, batch, size))
    loss = net.add("mean_squared_error", y, target)
    losses = [(loss, -1, "sum", 0.5 * size)]
    return graph.compile(losses=losses, **choices), feeds


def gradients(case, batch, isa, threads=1, **choices):
    plan, feeds = plan_of(case, batch, isa, **choices)
    with with_threads(threads):
        return plan.gradients(feeds, np.arange(batch))


@pytest.mark.parametrize("batch", [1, 3, 20, 31])
@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_without_fusion(case, batch):
    for isa in isas():
        plain = gradients(case, batch, isa, fusion=False, conv_algorithm="direct")
        for algorithm in ("auto", "winograd", "lanes", "planes", "direct", "im2col"):
            choices = {"fusion": True, "conv_algorithm": algorithm}
            fused = gradients(case, batch, isa, **choices)
            shared = gradients(case, batch, isa, 3, **choices)
            for number, (one, two, want) in enumerate(
                zip(fused, shared, plain, strict=True)
            ):
                what = f"{isa} {algorithm} {number}"
                np.testing.assert_array_equal(one, two, err_msg=what)
                atol = 3e-5 * np.abs(want).max()
                np.testing.assert_allclose(one, want, 0, atol, err_msg=what)


@pytest.mark.parametrize("case", CASES)
def test_frozen_weights_do_not_lose_what_the_gate_reads(case):
    for isa in isas():
        frozen = {"batch": 20, "isa": isa, "trainable": False}
        plain = gradients(case, **frozen, fusion=False, conv_algorithm="direct")
        for algorithm in ("auto", "winograd", "lanes", "direct"):
            fused = gradients(case, **frozen, fusion=True, conv_algorithm=algorithm)
            for one, want in zip(fused, plain, strict=True):
                atol = 3e-5 * np.abs(want).max()
                np.testing.assert_allclose(one, want, 0, atol, err_msg=algorithm)


def floats_read(case, stage, fusion, algorithm="direct"):
    """What stages of that name read and write, in floats."""
    plan, feeds = plan_of(case, 2, fusion=fusion, conv_algorithm=algorithm)
    rows = plan.profile(feeds, np.arange(2))
    return [int(row[3]) // 4 for row in rows if row[0] == stage]


@pytest.mark.parametrize(
    "case", ["1x1", "strides", "groups", "transposed", "skip", "residual"]
)
def test_the_producer_does_not_read_its_output_again(case):
    """Its y is as large as its dy; without fusion it has no ReLU to mask by."""
    first = floats_read(case, "conv2d backward", True)[-1]
    assert first == floats_read(case, "conv2d backward", False)[-1]


def test_a_depthwise_convolution_leaves_the_gate():
    """To mask would cost it a pass of its own."""
    y = 2 * 8 * 10 * 18
    fused, plain = (
        floats_read("depthwise", "conv2d backward", on)[-1] for on in (True, False)
    )
    assert fused == plain + y


@pytest.mark.parametrize(
    ("case", "algorithm", "x", "y", "stage"),
    [
        ("3x3", "winograd", 8 * 10 * 18, 8 * 10 * 33, 2),  # behind dw and its sums
        ("large", "direct", 40 * 41 * 24, 20 * 21 * 40, 1),
    ],
)
def test_a_stage_of_its_own_for_dx_reads_x_for_a_gate_alone(
    case, algorithm, x, y, stage
):
    """It comes behind dw, so that x may die before."""
    fused, plain = (
        floats_read(case, "conv2d backward", on, algorithm)[stage]
        for on in (True, False)
    )
    assert fused == plain + 2 * (x + y)  # and y for the gate of its own
