# SPDX-License-Identifier: Apache-2.0
"""ReLUs with a ceiling: in predictions the convolution before takes them, whatever its
algorithm; in training they stay, as their gradients need to know what they clipped.
"""

import numpy as np
import pytest

from pronghorn._native import core as _core
from pronghorn.testing import arrays
from pronghorn.testing.running import isas

CEILING = 0.75
SAME, STRIDES = {"padding": "same"}, {"strides": [2, 2], "padding": "same"}

# Op, image, kernel, attributes, algorithm, batch.
CASES = {
    "direct": ("conv2d", (9, 7, 17), (3, 3, 17, 21), SAME, "direct", 3),
    "pieces": ("conv2d", (57, 48, 19), (3, 3, 19, 33), STRIDES, "direct", 1),
    "1 x 1": ("conv2d", (9, 7, 33), (1, 1, 33, 50), {}, "direct", 5),
    "panels": ("conv2d", (2, 2, 257), (1, 1, 257, 300), {}, "direct", 3),
    "lanes": ("conv2d", (8, 9, 3), (3, 3, 3, 6), {}, "auto", 17),
    "planes": ("conv2d", (31, 57, 3), (3, 3, 3, 6), SAME, "auto", 1),
    "winograd": ("conv2d", (19, 23, 17), (3, 3, 17, 20), SAME, "winograd", 2),
    "winograd strides": ("conv2d", (31, 30, 48), (3, 3, 48, 50), STRIDES, "auto", 3),
    "im2col": ("conv2d", (9, 7, 5), (3, 3, 5, 7), {"dilation": [2, 2]}, "im2col", 3),
    "groups": ("conv2d", (9, 7, 12), (3, 3, 4, 18), {"groups": 3}, "auto", 3),
    "depthwise": ("depthwise_conv2d", (15, 17, 33), (3, 3, 33, 1), STRIDES, "auto", 2),
    "rows": ("conv1d", (31, 17), (5, 17, 33), SAME, "auto", 3),
    "volume": ("conv3d", (5, 6, 7, 3), (2, 3, 2, 3, 9), SAME, "auto", 2),
}


def made(case, isa, training=False, activation="relu", fusion=True):
    """The plan, its feeds and a place for its output."""
    op, image, kernel, attributes, algorithm, batch = case
    graph = _core.Graph(batch, training, isa)
    out_c = kernel[-2] * kernel[-1] if "depthwise" in op else kernel[-1]
    weights = []
    for seed, shape in enumerate([kernel, (out_c,)]):
        buffer = _core.Buffer(shape)
        scale = np.sqrt(np.prod(kernel[:-1])) if seed == 0 else 1
        buffer.array[...] = arrays.normal(seed, *shape) / scale
        weights.append(graph.parameter(buffer, training))
    y = graph.add(op, [graph.input(image), *weights], attributes)
    if activation == "relu":
        y = graph.add("relu", [y], {"max_value": CEILING})
    elif activation is not None:
        y = graph.add("unary", [y], {"kind": activation})
    plan = graph.compile([y], conv_algorithm=algorithm, fusion=fusion)
    feeds = [arrays.normal(7, batch, *image)]
    return plan, feeds, np.empty(graph.shape(y), np.float32)


def stages(plan, feeds, out):
    return [name for name, *_ in plan.profile(feeds, np.arange(len(out)), [out])]


@pytest.mark.parametrize("isa", isas())
@pytest.mark.parametrize("name", CASES)
def test_a_convolution_takes_it_in_predictions(name, isa):
    plan, feeds, out = made(CASES[name], isa)
    assert not any("relu" in stage for stage in stages(plan, feeds, out))
    found = plan.forward(feeds)[0]
    linear = made(CASES[name], isa, activation=None)[0].forward(feeds)[0]
    assert (linear > CEILING).any()
    np.testing.assert_allclose(found, np.clip(linear, 0, CEILING), rtol=0, atol=1e-5)
    plain = made(CASES[name], isa, fusion=False)
    assert any("relu" in stage for stage in stages(*plain))
    np.testing.assert_allclose(found, plain[0].forward(feeds)[0], rtol=0, atol=1e-5)


def test_relu6_is_one():
    plan, feeds, out = made(CASES["direct"], "", activation="relu6")
    assert not any("unary" in stage for stage in stages(plan, feeds, out))
    assert plan.forward([8 * feeds[0]])[0].max() == 6


@pytest.mark.parametrize("name", ["direct", "depthwise"])
def test_it_stays_in_training(name):
    plan = made(CASES[name], "", training=True)
    assert any("relu" in stage for stage in stages(*plan))


@pytest.mark.parametrize("isa", isas())
@pytest.mark.parametrize("name", CASES)
def test_nan_stays_and_infinity_is_clipped(name, isa):
    """Where a sum is infinite or NaN, as NumPy's clip has it."""
    plan, feeds, _ = made(CASES[name], isa)
    linear = made(CASES[name], isa, activation=None)[0]
    for value in (np.nan, np.inf):
        feeds[0].reshape(-1)[::97] = value
        with np.errstate(invalid="ignore"):
            want = np.clip(linear.forward(feeds)[0], 0, CEILING)
        found = plan.forward(feeds)[0]
        np.testing.assert_array_equal(np.isnan(found), np.isnan(want))
        np.testing.assert_allclose(found, want, rtol=0, atol=1e-5)
