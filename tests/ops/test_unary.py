# SPDX-License-Identifier: Apache-2.0
"""unary: every function of one element, its gradient, its corners, NaN and infinity."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import REFERENCES, arrays, check_op
from pronghorn.testing.check_op import check_graph
from pronghorn.testing.conformance import Reference
from pronghorn.testing.references.elementwise import ALPHA, FUNCTIONS
from pronghorn.testing.running import gradients_of, isas, run_op

POSITIVE = {"log", "sqrt", "rsqrt", "reciprocal"}
NUMBERS = {name: {"alpha": value} for name, value in ALPHA.items()}
NUMBERS |= {"threshold": {"alpha": 0.3003, "beta": -2.0}}
SQUAREPLUS_OVERFLOWS = 1e18


def attributes_of(kind):
    return {"kind": kind} | NUMBERS.get(kind, {})


def arguments(kind, seed, *shape, scale=3.0):
    x = arrays.spread(seed, *shape, scale=scale)
    if kind in POSITIVE:
        return np.abs(x) + np.float32(0.05)
    if kind == "log1p":
        return np.abs(x) - np.float32(0.9)
    return x / 4 if kind == "tan" else x


def off_the_corners(x):
    """No value at a multiple of 1/4, where some functions bend."""
    near = np.round(4 * x) / 4
    return np.where(np.abs(x - near) < 1e-3, near + 0.0021, x).astype(np.float32)


def test_the_list_is_covered():
    source = Path(__file__).parents[2] / "cpp/kernels/unary_list.inc"
    listed = re.findall(r"PRONGHORN_UNARY\((\w+),", source.read_text(encoding="utf-8"))
    assert [kind for kind in listed if kind != "name"] == FUNCTIONS


@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("shape", [(33,), (5, 7, 3)])
def test_cases(kind, shape):
    x = off_the_corners(arguments(kind, 1, 17, *shape))
    check_op("unary", [x], attributes_of(kind), batches=(1, 3, 17))


@pytest.mark.parametrize("kind", ["elu", "gelu", "mish", "tanh_shrink", "softplus"])
@pytest.mark.parametrize("scale", [1e-3, 20.0])
def test_sizes_of_values(kind, scale):
    check_op("unary", [arrays.spread(2, 17, 33, scale=scale)], {"kind": kind})


@given(
    kind=st.sampled_from(FUNCTIONS),
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    batch=st.integers(1, 40),
)
def test_drawn(kind, shape, batch):
    x = off_the_corners(arguments(kind, batch, batch, *shape))
    check_op("unary", [x], attributes_of(kind), batches=[batch], coordinates=60)


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_special_values(kind):
    exponents = 2.0 ** np.arange(-126, 128)
    x = [*exponents, *-exponents, 0.0, -0.0, np.inf, -np.inf, np.nan, 0.5, 2.5, -7.5]
    x = np.array(x, np.float32)[None]
    if kind == "squareplus":  # float32's square is infinite from there on
        x = x[:, ~(np.abs(x[0]) > SQUAREPLUS_OVERFLOWS)]
    expected = REFERENCES["unary"].forward([x.astype(np.float64)], attributes_of(kind))
    with np.errstate(over="ignore"):
        expected = expected.astype(np.float32)
    small = 3e-7 if kind in ("gelu", "gelu_tanh", "squareplus") else 2e-38
    for isa in isas():
        y = run_op("unary", [x], attributes_of(kind), isa=isa)
        np.testing.assert_allclose(y, expected, rtol=2e-6, atol=small, err_msg=isa)


CORNERS = [
    ("abs", [0.0], [1.0]),
    ("relu6", [0.0, 6.0], [0.0, 0.0]),
    ("leaky_relu", [0.0], [1.0]),
    ("hard_sigmoid", [-3.0, 3.0], [0.0, 0.0]),
    ("hard_silu", [-3.0, 3.0], [0.0, 1.0]),
    ("hard_tanh", [-1.0, 1.0], [1.0, 1.0]),
    ("hard_shrink", [-0.5, 0.5], [0.0, 0.0]),
    ("soft_shrink", [-0.5, 0.5], [0.0, 0.0]),
    ("sparse_plus", [-1.0, 1.0], [0.0, 1.0]),
    ("sparse_sigmoid", [-1.0, 1.0], [0.25, 0.25]),
    ("elu", [0.0], [1.0]),
    ("celu", [0.0], [1.0]),
    ("sqrt", [0.0], [np.inf]),
]


@pytest.mark.parametrize(("kind", "x", "slopes"), CORNERS)
def test_slopes_at_corners(kind, x, slopes):
    for isa in isas():
        gradient = gradients_of("unary", [np.array([x])], {"kind": kind}, isa=isa)[0]
        np.testing.assert_allclose(gradient, [slopes], rtol=1e-6, err_msg=isa)


@pytest.mark.parametrize("kind", ["exp", "tanh", "square", "gelu", "log"])
def test_of_a_parameter(kind):
    """A dense layer whose kernel is computed: gradients reach what it is made of."""
    w = np.random.default_rng(3).uniform(0.2, 1, (6, 5)).astype(np.float32)
    x = arrays.normal(1, 17, 6)

    def forward(inputs, attributes):
        return inputs[0] @ REFERENCES["unary"].forward([inputs[1]], attributes)

    for isa in isas():
        graph = _core.Graph(len(x), True, isa)
        buffer = _core.Buffer(w.shape)
        buffer.array[...] = w
        weight = graph.parameter(buffer, True)
        made = graph.add("unary", [weight], {"kind": kind})
        assert graph.shape(made) == w.shape
        y = graph.add("dense", [graph.input(x.shape[1:]), made], {})
        error = graph.add("mean_squared_error", [y, graph.input((5,))], {})
        plan = graph.compile(losses=[(error, -1, "sum_over_batch_size", 1.0)])
        zeros = np.zeros((17, 5), np.float32)
        gradient = plan.gradients([x, zeros], np.arange(17))[0]
        wide, moved = w.astype(np.float64), np.zeros_like(w, np.float64)
        for at in np.ndindex(w.shape):
            step = np.zeros_like(wide)
            step[at] = 1e-6
            above, below = (
                (forward([x, wide + s], {"kind": kind}) ** 2).mean()
                for s in (step, -step)
            )
            moved[at] = (above - below) / 2e-6
        np.testing.assert_allclose(gradient, moved, rtol=1e-4, atol=1e-6, err_msg=isa)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"kind": "no_such"}, "expected a kind of abs"),
        ({}, "expected a kind"),
        ({"kind": "tanh", "alpha": 1.0}, "unknown attribute 'alpha'"),
        ({"kind": "elu", "beta": 1.0}, "unknown attribute 'beta'"),
    ],
)
def test_errors(attributes, message):
    graph = _core.Graph(1, False)
    with pytest.raises(ValueError, match=message):
        graph.add("unary", [graph.input([4])], attributes)


def test_lanes_without_an_image_do_not_count():
    """A logarithm behind a convolution in lanes, infinite where no image is."""
    rng = np.random.default_rng(2)
    x = rng.uniform(0.1, 2, (17, 9, 9, 1)).astype(np.float32)
    first = rng.uniform(0.1, 1, (3, 3, 1, 4)).astype(np.float32)
    second = arrays.normal(4, 3, 3, 4, 2)
    conv = REFERENCES["conv2d"].forward

    def logs(inputs):
        return np.log(conv(inputs[:2], {}))

    def build(graph, images, weights):
        y = graph.add("conv2d", [images[0], weights[0]], {})
        y = graph.add("unary", [y], {"kind": "log"})
        return graph.add("conv2d", [y, weights[1]], {})

    reference = Reference(
        lambda inputs, attributes: conv([logs(inputs), inputs[2]], attributes),
        terms=lambda inputs, attributes: 81,
        magnitude=lambda inputs, attributes: conv(
            [1 + np.abs(logs(inputs)), np.abs(inputs[2])], attributes
        ),
    )
    check_graph(
        build, [x], reference, name="log behind lanes", parameters=[first, second],
        batches=(1, 17), coordinates=40,
    )  # fmt: skip
