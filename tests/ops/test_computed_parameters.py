# SPDX-License-Identifier: Apache-2.0
"""Ops on weights alone run once a step; gradients go back through them."""

import numpy as np
import pytest

from pronghorn._native import core as _core
from pronghorn.testing import Reference, arrays, check_graph
from pronghorn.testing.running import isas

RNG = np.random.default_rng(3)
X = RNG.normal(size=(33, 6)).astype(np.float32)
W = RNG.normal(size=(6, 4)).astype(np.float32)
P = np.array([0.3], np.float32)


def buffer(values):
    made = _core.Buffer(values.shape)
    made.array[...] = values
    return made


def record(graph, weight, penalty):
    """Mean square of a chain of dense layers made of W in four ways, and tanh(p)."""
    x = graph.input((6,))
    zero = graph.input((6,))
    w = graph.parameter(weight[0], True, weight[1:])
    p = graph.parameter(penalty[0], True, penalty[1:])
    squashed = graph.add("activation", [w], {"kind": "tanh"})
    twice = graph.add("activation", [squashed], {"kind": "sigmoid"})
    y = graph.add("dense", [x, twice])
    y = graph.add("dense", [y, graph.add("reshape", [squashed], {"shape": [4, 6]})])
    y = graph.add("dense", [y, w])
    y = graph.add("dense", [y, graph.add("reshape", [w], {"shape": [4, 6]})])
    loss = graph.add("mean_squared_error", [y, zero])
    penalty = graph.add("activation", [p], {"kind": "tanh"})
    return [(loss, -1, "sum_over_batch_size", 1.0), (penalty, -1, "sum", 2.0)]


def formula(x, w, p):
    squashed = np.tanh(w)
    y = x @ (1 / (1 + np.exp(-squashed))) @ squashed.reshape(4, 6) @ w @ w.reshape(4, 6)
    return (y**2).mean() + 2 * np.tanh(p[0])


def numerical(x, w, p):
    gradients = []
    for array in (w, p):
        gradient = np.zeros_like(array)
        for at in np.ndindex(array.shape):
            kept = array[at]
            array[at] = kept + 1e-5
            above = formula(x, w, p)
            array[at] = kept - 1e-5
            gradient[at] = (above - formula(x, w, p)) / 2e-5
            array[at] = kept
        gradients.append(gradient)
    return gradients


@pytest.mark.parametrize("isa", isas())
@pytest.mark.parametrize("batch", [1, 3, 16, 33])
def test_gradients(isa, batch):
    graph = _core.Graph(batch, True, isa)
    losses = record(graph, [buffer(W)], [buffer(P)])
    plan = graph.compile(losses=losses)
    x = X[:batch]
    zero = np.zeros_like(x)
    found = plan.gradients([x, zero], np.arange(batch))
    expected = numerical(*(a.astype(np.float64) for a in (x, W, P)))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_training(threads):
    """Three steps of SGD, all weights moved from the values the step began with."""
    before = _core.num_threads()
    _core.set_num_threads(threads)
    try:
        weight, penalty = buffer(W), buffer(P)
        graph = _core.Graph(11, True)
        losses = record(graph, [weight], [penalty])
        plan = graph.compile(losses=losses, optimizer=_core.Optimizer("sgd", {}))
        zero = np.zeros_like(X)
        order = np.arange(33)
        rates = np.full(3, 0.05)
        totals = plan.run([X, zero], order, learning_rates=rates)
    finally:
        _core.set_num_threads(before)
    w, p = W.astype(np.float64), P.astype(np.float64)
    loss = 0.0
    for step in range(3):
        x = X[11 * step : 11 * step + 11].astype(np.float64)
        loss += formula(x, w, p) / 3
        dw, dp = numerical(x, w, p)
        w -= 0.05 * dw
        p -= 0.05 * dp
    np.testing.assert_allclose(weight.array, w, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(penalty.array, p, rtol=1e-5)
    np.testing.assert_allclose(totals[0, 0] / totals[0, 1], loss, rtol=1e-4)


def test_a_loss_of_weights_is_one_value():
    graph = _core.Graph(2, True)
    w = graph.parameter(buffer(W), True)
    many = graph.add("activation", [w], {"kind": "tanh"})
    with pytest.raises(ValueError, match="one value"):
        graph.compile(losses=[(many, -1, "sum", 1.0)])


def _tensors(graph, inputs, weights):
    """x times a matrix made of three weights by ops that combine and move."""
    w, scale, rows = weights
    scaled = graph.add("binary", [w, scale], {"kind": "multiply"})  # (4, 6)
    turned = graph.add("transpose", [scaled], {"axes": [1, 0]})  # (6, 4)
    total = graph.add(
        "reduce", [turned], {"kind": "mean", "axes": [0], "keepdims": True}
    )
    centred = graph.add("binary", [turned, total], {"kind": "subtract"})
    joined = graph.add("concatenate", [centred, rows], {"axis": 0})  # (8, 4)
    padded = graph.add("pad", [joined], {"before": [1, 0], "after": [0, 0]})
    part = graph.add("slice", [padded], {"starts": [2, 0], "stops": [9, 4]})
    wide = graph.add("broadcast", [part], {"shape": [7, 4]})
    chosen = graph.add("where", [wide, wide, scale], {})
    product = graph.add("matmul", [chosen, w], {})  # (7, 6)
    return graph.add("matmul", [inputs[0], product], {})


def _tensors_reference(arrays_, attributes):
    del attributes
    x, w, scale, rows = arrays_
    turned = (w * scale).T
    joined = np.concatenate([turned - turned.mean(axis=0), rows])
    padded = np.pad(joined, [(1, 0), (0, 0)])[2:9]
    return x @ (np.where(padded != 0, padded, scale) @ w)


def test_ops_that_combine_and_move_weights():
    check_graph(
        _tensors,
        [arrays.normal(1, 17, 7)],
        Reference(_tensors_reference, terms=lambda _, __: 2000),
        name="tensors",
        parameters=[
            arrays.normal(i, *s) for i, s in ((2, (4, 6)), (3, ()), (4, (2, 4)))
        ],
        batches=[1, 17],
    )
