# SPDX-License-Identifier: Apache-2.0
"""binary: two tensors element by element, broadcast as in NumPy."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import REFERENCES, arrays, check_op
from pronghorn.testing.references.tensor import BINARY
from pronghorn.testing.running import isas, run_op

REFERENCE = REFERENCES["binary"]
ONE_INPUT = replace(REFERENCE, differentiable=(0,))
COMPARISONS = replace(REFERENCE, differentiable=(), exact=True)
SMOOTH = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "power"]
COMPARING = sorted(set(BINARY) - set(SMOOTH))

# Two shapes of images that broadcast.
SHAPES = [
    ((1,), (1,)),
    ((33,), (33,)),
    ((5, 7, 3), (5, 7, 3)),
    ((5, 7, 3), (1, 1, 3)),
    ((1, 1, 17), (4, 3, 17)),
    ((4, 3, 2), (1, 3, 1)),
    ((4, 1), (1, 5)),
    ((6, 5), (6, 1)),
    ((9, 50, 3), (1, 1, 3)),
]
# An image and a parameter.
PARAMETERS = [
    ((5,), ()),
    ((5,), (1,)),
    ((5,), (5,)),
    ((5,), (1, 5)),
    ((6, 7, 3), (3,)),
    ((6, 7, 3), (7, 3)),
    ((6, 7, 3), (1, 6, 1, 1)),
    ((6, 7, 17), (17,)),
    ((1, 3), (4, 1)),
]


def operands(kind, shape, other, batch=33):
    """Away from equal values and from where a quotient or power has none."""
    count = int(np.prod(shape)) + int(np.prod(other))
    drawn = np.random.default_rng(count).permutation(batch * count * 2)
    values = (drawn[: batch * count] + 0.5) / (
        batch * count
    )  # in (0, 2), all different
    if kind not in ("divide", "power"):
        values -= 1
    else:
        values += 0.25
    cut = batch * int(np.prod(shape))
    return values[:cut].reshape(batch, *shape), values[cut:].reshape(batch, *other)


@pytest.mark.parametrize("kind", SMOOTH)
@pytest.mark.parametrize(("shape", "other"), SHAPES)
def test_inputs(kind, shape, other):
    a, b = operands(kind, shape, other)
    check_op("binary", [a, b], {"kind": kind}, coordinates=40)


@pytest.mark.parametrize("kind", SMOOTH)
@pytest.mark.parametrize(("shape", "other"), PARAMETERS)
def test_parameter(kind, shape, other):
    a, b = operands(kind, shape, other)
    check_op(
        "binary", [a], {"kind": kind}, parameters=[b[0]], reference=ONE_INPUT,
        coordinates=40, batches=[1, 17, 33],
    )  # fmt: skip


@pytest.mark.parametrize("kind", COMPARING)
@pytest.mark.parametrize(("shape", "other"), SHAPES)
def test_comparisons(kind, shape, other):
    a, b = arrays.integers(1, 17, *shape), arrays.integers(2, 17, *other)
    check_op("binary", [a, b], {"kind": kind}, reference=COMPARISONS, batches=[1, 17])


@given(
    kind=st.sampled_from(SMOOTH),
    extents=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    ones=st.lists(st.booleans(), min_size=8, max_size=8),
    batch=st.integers(1, 18),
)
def test_drawn(kind, extents, ones, batch):
    rank = len(extents)
    shape = [1 if one else n for n, one in zip(extents, ones[:rank], strict=True)]
    other = [1 if one else n for n, one in zip(extents, ones[-rank:], strict=True)]
    a, b = operands(kind, shape, other, batch)
    check_op("binary", [a, b], {"kind": kind}, batches=[batch], coordinates=30)


@pytest.mark.parametrize("kind", ["add", "subtract", "multiply", "divide"])
def test_same_bits_as_numpy(kind):
    a, b = arrays.normal(1, 19, 5, 7, 3), arrays.normal(2, 19, 1, 1, 3)
    expected = BINARY[kind](a, b)
    for isa in isas():
        np.testing.assert_array_equal(
            run_op("binary", [a, b], {"kind": kind}, isa=isa), expected
        )


@pytest.mark.parametrize("kind", sorted(set(BINARY) - {"power"}))
def test_special_values(kind):
    """NaN, infinities and zeros, in the body of a row and in its tail."""
    special = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1, -2], np.float32)
    a = np.repeat(special, len(special))[None]
    b = np.tile(special, len(special))[None]
    with np.errstate(all="ignore"):
        expected = np.asarray(BINARY[kind](a, b), np.float32)
    for isa in isas():
        y = run_op("binary", [a, b], {"kind": kind}, isa=isa)
        np.testing.assert_array_equal(y, expected)


def gradients(kind, a, b):
    """Of the sum of half the squares of a tensor and another, or of a tensor twice."""
    graph = _core.Graph(len(a), True)
    x = graph.input(a.shape[1:], "float32", True)
    other = x if b is None else graph.input(b.shape[1:], "float32", True)
    y = graph.add("binary", [x, other], {"kind": kind})
    zero = graph.input(graph.shape(y)[1:])
    error = graph.add("mean_squared_error", [y, zero])
    size = float(np.prod(graph.shape(y)))
    plan = graph.compile(losses=[(error, -1, "sum_over_batch_size", size / 2)])
    zeros = np.zeros(graph.shape(y), np.float32)
    feeds = [a, zeros] if b is None else [a, b, zeros]
    return plan.gradients(feeds, np.arange(len(a)))


def test_one_input_twice():
    a = arrays.normal(1, 5, 4, 3)
    (square,) = gradients("multiply", a, None)
    np.testing.assert_allclose(square, 2 * a**3, rtol=1e-5)
    (twice,) = gradients("add", a, None)
    np.testing.assert_allclose(twice, 4 * a, rtol=1e-6)


def test_equals_share_the_gradient_of_a_maximum():
    a = np.array([[1.0, 2.0, 3.0]], np.float32)
    b = np.array([[1.0, 5.0, -1.0]], np.float32)
    of_a, of_b = gradients("maximum", a, b)
    np.testing.assert_array_equal(of_a, [[0.5, 0, 3]])
    np.testing.assert_array_equal(of_b, [[0.5, 5, 0]])


def test_in_lanes():
    """Between convolutions of few channels nothing is converted."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(33, 8, 8, 1)).astype(np.float32)
    kernel = _core.Buffer((3, 3, 1, 4))
    kernel.array[...] = rng.normal(size=kernel.array.shape)
    for batch in (33, 1):
        graph = _core.Graph(batch, False)
        image = graph.input((8, 8, 1))
        y = graph.add("conv2d", [image, graph.parameter(kernel)])
        z = graph.add("binary", [y, y], {"kind": "multiply"})
        z = graph.add(
            "binary",
            [
                z,
                graph.add(
                    "reduce", [z], {"kind": "max", "axes": [1, 2], "keepdims": True}
                ),
            ],
            {"kind": "divide"},
        )
        z = graph.add("concatenate", [z, y], {"axis": -1})
        plan = graph.compile([y, z])
        got = [np.empty(graph.shape(t), np.float32) for t in (y, z)]
        plan.run([x], np.arange(batch), got)
        square = got[0] * got[0]
        square /= square.max(axis=(1, 2), keepdims=True)
        np.testing.assert_array_equal(got[1], np.concatenate([square, got[0]], -1))


@pytest.mark.parametrize(
    ("shape", "other", "complaint"),
    [
        ((3, 4), (3, 5), "broadcast"),
        ((3, 4), (4,), "equally many axes"),
    ],
)
def test_refused_inputs(shape, other, complaint):
    graph = _core.Graph(2, False)
    with pytest.raises(ValueError, match=rf"\[binary\].*{complaint}"):
        graph.add("binary", [graph.input(shape), graph.input(other)], {"kind": "add"})


def test_refused_parameter():
    graph = _core.Graph(2, False)
    parameter = graph.parameter(_core.Buffer((2, 3)))
    with pytest.raises(ValueError, match="within images"):
        graph.add("binary", [graph.input((3,)), parameter], {"kind": "add"})
    with pytest.raises(ValueError, match="expected a kind"):
        graph.add("binary", [graph.input((3,)), parameter], {"kind": "plus"})
