# SPDX-License-Identifier: Apache-2.0
"""matmul: products of matrices in every image, or with weights."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import REFERENCES, arrays, check_op

REFERENCE = REFERENCES["matmul"]
ONE_INPUT = replace(REFERENCE, differentiable=(0,), linear=True)
TRANSPOSED = [(False, False), (True, False), (False, True), (True, True)]


def operands(a, b, transposed, batch, integers=False):
    """Arrays of shapes (..., m, k) and (..., k, n), stored as the op is told."""
    draw = arrays.integers if integers else arrays.normal
    shapes = []
    for shape, turned in zip((a, b), transposed, strict=True):
        *front, rows, columns = shape
        shapes.append((*front, columns, rows) if turned else shape)
    return draw(1, batch, *shapes[0]), draw(2, batch, *shapes[1])


def names(transposed):
    return {"transpose_a": transposed[0], "transpose_b": transposed[1]}


@pytest.mark.parametrize("transposed", TRANSPOSED)
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((1, 1), (1, 1)),
        ((5, 7), (7, 3)),
        ((2, 3, 5, 7), (2, 3, 7, 4)),
        ((2, 1, 5, 7), (1, 3, 7, 4)),
        ((33, 40), (40, 17)),
    ],
)
def test_inputs(transposed, a, b):
    inputs = operands(a, b, transposed, 5)
    check_op("matmul", inputs, names(transposed), batches=[1, 5], coordinates=80)


@pytest.mark.parametrize("transposed", TRANSPOSED)
@pytest.mark.parametrize(
    ("a", "b"), [((5, 7), (7, 3)), ((2, 4, 5, 7), (7, 3)), ((2, 5, 7), (2, 7, 3))]
)
def test_weights(transposed, a, b):
    x, w = operands(a, b, transposed, 17, integers=True)
    check_op(
        "matmul", [x], names(transposed), parameters=[w[0]], reference=ONE_INPUT,
        batches=[1, 17], coordinates=80, exact=True,
    )  # fmt: skip


@pytest.mark.parametrize("turned", [False, True])
def test_rows_and_weights(turned):
    """As a dense layer."""
    w = arrays.integers(2, *((3, 7) if turned else (7, 3)))
    check_op(
        "matmul", [arrays.integers(1, 33, 7)], {"transpose_b": turned}, parameters=[w],
        reference=ONE_INPUT, exact=True,
    )  # fmt: skip


@given(
    front=st.lists(st.integers(1, 3), max_size=2),
    sizes=st.tuples(*[st.integers(1, 9)] * 3),
    transposed=st.sampled_from(TRANSPOSED),
    batch=st.integers(1, 4),
)
def test_drawn(front, sizes, transposed, batch):
    m, k, n = sizes
    inputs = operands((*front, m, k), (*front, k, n), transposed, batch)
    check_op("matmul", inputs, names(transposed), batches=[batch], coordinates=40)


def test_refused():
    graph = _core.Graph(2, False)
    a, row = graph.input((3, 4)), graph.input((4,))
    w = graph.parameter(_core.Buffer((4, 5)))
    for inputs, attributes, complaint in (
        ([a, a], {}, "matrices that fit"),
        ([a, w], {"transpose_b": True}, "b transposed"),
        ([a, row], {}, "matrices in every image"),
        ([row, w], {"transpose_a": True}, "matrices in every image"),
        ([graph.input((2, 3, 4)), graph.input((3, 4, 4))], {}, "broadcast"),
    ):
        with pytest.raises(ValueError, match=rf"\[matmul\].*{complaint}"):
            graph.add("matmul", inputs, attributes)
