# SPDX-License-Identifier: Apache-2.0
"""embedding: rows of a table by number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import run_op


@pytest.mark.parametrize("shape", [(), (7,), (3, 4)])
@pytest.mark.parametrize(("rows", "width"), [(1, 1), (5, 3), (1000, 17), (300, 33)])
@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_cases(shape, rows, width, kind):
    """Some rows come twice, some never. check_op poisons floats, no ids."""
    ids = arrays.labels(1, rows, 33, *shape).astype(kind)
    table = arrays.normal(2, rows, width)
    if kind == np.int32:
        check_op("embedding", [ids], parameters=[table], batches=[1, 33])
    else:
        y = run_op("embedding", [ids], parameters=[table])
        np.testing.assert_array_equal(y, table[ids.astype(int)])


@given(
    rows=st.integers(1, 40),
    width=st.integers(1, 40),
    length=st.integers(1, 20),
    batch=st.integers(1, 6),
)
def test_drawn(rows, width, length, batch):
    ids = arrays.labels(length, rows, batch, length)
    table = arrays.normal(2, rows, width)
    check_op("embedding", [ids], parameters=[table], batches=[batch], coordinates=60)


@pytest.mark.parametrize("wrong", [-1, 5, 2**31 - 1, 0.5, np.nan, np.inf])
def test_ids_of_the_caller_are_checked_before_a_step(wrong):
    kind = np.int32 if isinstance(wrong, int) else np.float32
    ids = np.array([[1, 2], [3, wrong], [4, 0]], kind)
    table = arrays.normal(1, 5, 3)
    with pytest.raises(ValueError, match=r"whole numbers from 0 to 4.*row 1"):
        run_op("embedding", [ids], parameters=[table])


@pytest.mark.parametrize("wrong", [-1, 5, 1e30, 0.5, np.nan, -np.inf])
def test_computed_ids_never_lead_out_of_bounds(wrong):
    table = _core.Buffer((5, 3))
    table.array[...] = 1
    ids, zeros = np.array([[2, wrong]], np.float32), np.zeros((1, 2, 3), np.float32)

    def looked_up():
        graph = _core.Graph(1, True)
        given = graph.input((2,))
        computed = graph.add("binary", [given, given], {"kind": "maximum"})
        return graph, graph.add("embedding", [computed, graph.parameter(table, True)])

    graph, y = looked_up()
    got = np.zeros((1, 2, 3), np.float32)
    graph.compile([y]).run([ids], np.arange(1), [got])
    np.testing.assert_array_equal(got, [[[1, 1, 1], [np.nan] * 3]])
    graph, y = looked_up()
    error = graph.add("mean_squared_error", [y, graph.input((2, 3))])
    plan = graph.compile(losses=[(error, -1, "sum", 1.0)])
    (gradient,) = plan.gradients([ids, zeros], np.arange(1))
    assert set(np.flatnonzero(gradient)) == {6, 7, 8}


def test_refused():
    graph = _core.Graph(2, False)
    ids = graph.input((3,), "int32")
    with pytest.raises(ValueError, match=r"\[embedding\] expected a table"):
        graph.add("embedding", [ids, graph.parameter(_core.Buffer((3,)))])
    with pytest.raises(ValueError, match="parameter"):
        graph.add("embedding", [ids, ids])
