# SPDX-License-Identifier: Apache-2.0
"""custom: a function of the caller's in a plan, and what happens if it raises."""

import gc
import weakref

import numpy as np
import pytest

from pronghorn._native import core as _core
from pronghorn.testing import arrays, check_op


def cube(x, w):
    return x**3 * w


def cube_backward(dy, x, w):
    return 3 * x**2 * w * dy, np.sum(x**3 * dy, axis=0)


@pytest.mark.parametrize("shape", [(1,), (7,), (5, 3, 2)])
def test_with_a_weight(shape):
    check_op(
        "custom",
        [arrays.normal(1, 33, *shape)],
        {"function": (cube, cube_backward), "shape": list(shape)},
        parameters=[arrays.normal(2, *shape)],
    )


def test_another_shape_comes_out():
    def backward(dy, x):
        return np.repeat(dy, x.shape[-1], axis=-1)

    check_op(
        "custom",
        [np.rint(4 * arrays.normal(1, 33, 4, 5))],  # sums are exact
        {"function": (lambda x: x.sum(-1, keepdims=True), backward), "shape": [4, 1]},
    )


def plan_of(forward, backward, training=True):
    graph = _core.Graph(3, training)
    x = graph.input([4], "float32", training)
    y = graph.add("custom", [x], {"function": (forward, backward), "shape": [4]})
    if not training:
        return graph.compile(outputs=[y])
    ones = graph.input([4])
    return graph.compile(
        losses=[(graph.add("mean_squared_error", [y, ones]), -1, "sum", 1.0)]
    )


X = np.zeros((3, 4), np.float32)


class Broken(Exception):
    pass


def test_exception_reaches_the_caller_and_the_plan_lives_on():
    wrong = [True]

    def forward(x):
        if wrong[0]:
            raise Broken("here")
        return x

    plan = plan_of(forward, lambda dy, x: dy)
    for _ in range(2):
        with pytest.raises(Broken, match="here"):
            plan.gradients([X, X], np.arange(3))
    wrong[0] = False
    np.testing.assert_array_equal(plan.gradients([X, X], np.arange(3))[0], 0)


@pytest.mark.parametrize(
    ("forward", "backward", "message"),
    [
        (lambda x: x[:, :1], lambda dy, x: dy, r"expected .* \(3, 4\), got \(3, 1\)"),
        (lambda x: x, lambda dy, x: [dy, dy], "expected 1 gradients, got 2"),
        (lambda x: x, lambda dy, x: dy[0], r"a gradient of shape \(3, 4\), got \(4,\)"),
    ],
)
def test_wrong_results(forward, backward, message):
    with pytest.raises(ValueError, match=message):
        plan_of(forward, backward).gradients([X, X], np.arange(3))


def test_result_that_is_no_array():
    with pytest.raises((ValueError, TypeError)):
        plan_of(lambda x: "no", lambda dy, x: dy).gradients([X, X], np.arange(3))


def test_arrays_may_be_kept_and_functions_are_freed():
    kept = []

    def forward(x):
        kept.append(x)
        return x + 1

    plan = plan_of(forward, lambda dy, x: dy, training=False)
    out = np.empty((3, 4), np.float32)
    plan.run([X], np.arange(3), outputs=[out])
    alive = weakref.ref(forward)
    del plan, forward
    gc.collect()
    np.testing.assert_array_equal(kept[0], X)
    assert alive() is None


def test_weights_alone_are_refused():
    graph = _core.Graph(2, False)
    w = graph.parameter(_core.Buffer([3]))
    with pytest.raises(ValueError, match="with a batch"):
        graph.add("custom", [w], {"function": (abs, abs), "shape": [3]})
