# SPDX-License-Identifier: Apache-2.0
"""Ops in a row: what the planner fuses, runs in lanes and carries depth first.

The bound of a chain is the bound of its sums, carried through by absolute values: pools
and activations do not stretch an error.
"""

import numpy as np
import pytest

from pronghorn.testing import REFERENCES, Reference, arrays, check_graph

CONV_5X5 = ("conv2d", {})
SAME = ("conv2d", {"padding": "same"})
RELU, TANH, SIGMOID = (("activation", {"kind": k}) for k in ("relu", "tanh", "sigmoid"))
MAX_POOL = ("max_pool2d", {"pool_size": [2, 2]})
MAX_POOL_3_2 = (
    "max_pool2d",
    {"pool_size": [3, 3], "strides": [2, 2], "padding": "same"},
)
MAX_POOL_256 = ("max_pool2d", {"pool_size": [16, 16], "strides": [2, 1]})
AVERAGE_POOL = ("average_pool2d", {"pool_size": [2, 2]})
AVERAGE_POOL_3_2 = (
    "average_pool2d",
    {"pool_size": [3, 3], "strides": [2, 2], "padding": "same"},
)
GLOBAL = ("global_average_pool", {})
FLATTEN = ("flatten", {})
DENSE = ("dense", {})
SOFTMAX = ("softmax", {})

# shape of an image, ops, shapes of their weights (a bias follows each but the first)
CHAINS = {
    "conv relu": ((7, 6, 3), [SAME, RELU], [(3, 3, 3, 8)]),
    "conv tanh": ((7, 6, 3), [SAME, TANH], [(3, 3, 3, 8)]),
    "conv relu, wide": ((5, 5, 32), [SAME, RELU], [(3, 3, 32, 40)]),
    "conv relu pool": ((8, 9, 1), [CONV_5X5, RELU, MAX_POOL], [(5, 5, 1, 6)]),
    "conv pool relu": ((9, 9, 3), [SAME, MAX_POOL_3_2, RELU], [(5, 5, 3, 32)]),
    "relu before overlapping maxima": (
        (5, 6, 3), [SAME, RELU, MAX_POOL_3_2, TANH], [(3, 3, 3, 9)]),
    "relu before maxima of 256 cells": (
        (18, 17, 1), [SAME, RELU, MAX_POOL_256], [(3, 3, 1, 3)]),
    "relu before averages": (
        (5, 6, 3), [SAME, RELU, AVERAGE_POOL, TANH], [(3, 3, 3, 9)]),
    "relu before overlapping averages": (
        (5, 6, 3), [SAME, RELU, AVERAGE_POOL_3_2, TANH], [(3, 3, 3, 9)]),
    "conv conv": ((9, 8, 1), [SAME, CONV_5X5], [(3, 3, 1, 6), (5, 5, 6, 16)]),
    "lanes to rows": (
        (9, 8, 3), [SAME, RELU, SAME, GLOBAL], [(3, 3, 3, 16), (3, 3, 16, 48)]),
    "pool first": ((8, 8, 2), [MAX_POOL, SAME, TANH], [(3, 3, 2, 5)]),
    "activation first": ((4, 5, 6), [TANH, FLATTEN, DENSE], [(120, 7)]),
    "dense relu": ((30,), [DENSE, RELU], [(30, 20)]),
    "dense relu dense": ((30,), [DENSE, RELU, DENSE, SIGMOID], [(30, 20), (20, 5)]),
    "dense relu dense, larger": ((170,), [DENSE, RELU, DENSE], [(170, 101), (101, 5)]),
    "dense on pixels": ((4, 5, 6), [DENSE, RELU, MAX_POOL], [(6, 9)]),
    "stride skips cells": (
        (8, 5, 20), [TANH, ("conv2d", {"strides": [3, 3]})], [(2, 2, 20, 10)]),
    "stride skips cells of few channels": (
        (8, 5, 3), [TANH, ("conv2d", {"strides": [3, 3]})], [(2, 2, 3, 6)]),
    "pool skips cells": (
        (9, 8, 5), [TANH, ("max_pool2d", {"pool_size": [1, 2], "strides": [2, 3]})],
        []),
    "average skips cells": (
        (9, 8, 5), [TANH, ("average_pool2d", {"pool_size": [2, 1], "strides": [4, 2]})],
        []),
    "convolution leaves a rest": (
        (9, 8, 3), [TANH, ("conv2d", {"strides": [2, 2]}), TANH], [(2, 2, 3, 6)]),
    "cells that no pool reads": (
        (17, 20, 1),
        [CONV_5X5, TANH, AVERAGE_POOL, SAME, RELU, CONV_5X5, RELU, MAX_POOL, FLATTEN,
         DENSE],
        [(3, 3, 1, 6), (3, 3, 6, 5), (3, 3, 5, 16), (96, 7)]),
    "cells that no pool reads, in steps": (
        (23, 19, 3),
        [("conv2d", {"strides": [2, 1], "padding": "same"}), SIGMOID,
         ("conv2d", {"dilation": [2, 3], "padding": "same"}), RELU,
         ("max_pool2d", {"pool_size": [2, 1], "strides": [3, 2]}),
         ("conv2d", {"strides": [2, 3]}), TANH],
        [(3, 2, 3, 8), (3, 3, 8, 20), (2, 2, 20, 4)]),
    "relu twice": ((4, 5, 6), [SAME, RELU, RELU], [(3, 3, 6, 6)]),
    "only softmax behind conv": ((4, 5, 3), [SAME, SOFTMAX], [(3, 3, 3, 7)]),
    "LeNet with averages": (
        (16, 16, 1),
        [CONV_5X5, TANH, AVERAGE_POOL, CONV_5X5, TANH, AVERAGE_POOL, FLATTEN, DENSE,
         TANH, DENSE, SOFTMAX],
        [(5, 5, 1, 6), (3, 3, 6, 16), (64, 20), (20, 10)]),
    "LeNet with maxima": (
        (14, 14, 3),
        [SAME, RELU, MAX_POOL, CONV_5X5, RELU, MAX_POOL, FLATTEN, DENSE, RELU, DENSE],
        [(3, 3, 3, 6), (4, 4, 6, 16), (64, 20), (20, 10)]),
    "LeNet with a convolution of whole maps": (
        (12, 12, 1),
        [CONV_5X5, RELU, MAX_POOL, CONV_5X5, RELU, FLATTEN, DENSE],
        [(5, 5, 1, 6), (4, 4, 6, 70), (70, 10)]),
    "all convolutions": (
        (9, 9, 3),
        [SAME, RELU, ("conv2d", {"strides": [2, 2]}), RELU, ("conv2d", {}), GLOBAL,
         SOFTMAX],
        [(3, 3, 3, 20), (3, 3, 20, 24), (1, 1, 24, 10)]),
}  # fmt: skip


def weights_of(shapes):
    """Kernels that keep the size of what passes through, and biases."""
    weights = []
    for i, shape in enumerate(shapes):
        fan_in = int(np.prod(shape[:-1]))
        weights.append(arrays.normal(10 + i, *shape) / np.float32(fan_in**0.5))
        weights.append(arrays.normal(20 + i, shape[-1]))
    return weights


def takes_weights(op):
    return op in {"conv2d", "dense"}


def build(ops):
    def record(graph, inputs, parameters):
        x, rest = inputs[0], list(parameters)
        for op, attributes in ops:
            own = [rest.pop(0), rest.pop(0)] if takes_weights(op) else []
            x = graph.add(op, [x, *own], attributes)
        return x

    return record


def forward(ops, stretch=False):
    """The chain in NumPy; with `stretch`, of absolute values and no activations."""

    def run(inputs, attributes):
        del attributes
        x, rest = inputs[0], list(inputs[1:])
        for op, op_attributes in ops:
            own = [rest.pop(0), rest.pop(0)] if takes_weights(op) else []
            if stretch and op == "softmax":
                x = np.broadcast_to(x.max(axis=-1, keepdims=True), x.shape)
            elif not (stretch and op == "activation"):
                x = REFERENCES[op].forward([x, *own], op_attributes)
        return x

    if not stretch:
        return run
    return lambda inputs, attributes: run([np.abs(a) for a in inputs], attributes)


# Where Winograd would be chosen, on every algorithm.
LARGER_CHAINS = {
    "relu before convolutions": (
        (11, 13, 3), [SAME, RELU, SAME, RELU, SAME, RELU, MAX_POOL],
        [(3, 3, 3, 18), (3, 3, 18, 33), (3, 3, 33, 17)]),
    "relu before and between": (
        (11, 13, 17), [RELU, SAME, RELU, ("conv2d", {})],
        [(3, 3, 17, 16), (3, 3, 16, 20)]),
    "cells that no pool reads": (
        (17, 20, 17),
        [("conv2d", {}), TANH, ("conv2d", {}), TANH, AVERAGE_POOL, SAME, SIGMOID,
         ("average_pool2d", {"pool_size": [3, 3]})],
        [(3, 3, 17, 20), (3, 3, 20, 17), (3, 3, 17, 19)]),
    "relu before 5x5": (
        (11, 13, 17), [RELU, SAME, RELU, SAME], [(5, 5, 17, 20), (5, 5, 20, 33)]),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGER_CHAINS)
def test_larger_chains(name):
    algorithms = dict.fromkeys(["auto", "winograd", "direct", "im2col"], 0.0)
    chain = LARGER_CHAINS[name]
    check_chain(name, chain, rows=9, batches=(3, 9), algorithms=algorithms)


@pytest.mark.parametrize("name", CHAINS)
def test_chains(name):
    check_chain(name, CHAINS[name])


@pytest.mark.parametrize(
    "name",
    ["conv relu pool", "conv pool relu", "relu before averages", "lanes to rows",
     "pool first", "LeNet with averages", "LeNet with maxima", "all convolutions",
     "cells that no pool reads"],
)  # fmt: skip
def test_chains_of_planes(name):
    """Elementwise ops and pools of 2 x 2 stay in planes, the others get rows."""
    planes = {"planes": 0.0}
    check_chain(name, CHAINS[name], rows=17, batches=(1, 17), algorithms=planes)


def check_chain(name, chain, rows=33, **options):
    shape, ops, weights = chain
    terms = sum(int(np.prod(w[:-1])) + 8 for w in weights)
    reference = Reference(
        forward(ops), magnitude=forward(ops, stretch=True), terms=lambda i, a: terms
    )
    check_graph(
        build(ops),
        [arrays.spread(1, rows, *shape, scale=2)],
        reference,
        name=name,
        parameters=weights_of(weights),
        coordinates=40,
        **options,
    )


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("kind", ["softmax", "logits"])
@pytest.mark.parametrize("name", ["LeNet with averages", "all convolutions", "dense"])
def test_crossentropy_of_a_network(name, kind, sparse):
    """Softmax and cross-entropy in one; the labels are an input."""
    if name == "dense":
        shape, ops, weights = (12,), [DENSE, SOFTMAX], [(12, 10)]
    else:
        shape, ops, weights = CHAINS[name]
    ops = ops if kind == "softmax" else ops[:-1]
    loss = "sparse_categorical_crossentropy" if sparse else "categorical_crossentropy"
    loss_attributes = {"from_logits": kind == "logits"}

    def record(graph, inputs, parameters):
        y_pred = build(ops)(graph, inputs, parameters)
        return graph.add(loss, [y_pred, inputs[1]], loss_attributes)

    def run(inputs, attributes):
        y_pred = forward(ops)([inputs[0], *inputs[2:]], attributes)
        return REFERENCES[loss].forward([y_pred, inputs[1]], loss_attributes)

    def magnitude(inputs, attributes):
        logits = forward(ops, stretch=True)([inputs[0], *inputs[2:]], attributes)
        return 1 + 2 * logits.max(axis=-1)

    terms = sum(int(np.prod(w[:-1])) + 8 for w in weights)
    labels = arrays.labels(2, 10, 33) if sparse else arrays.one_hot(2, 33, 10)
    check_graph(
        record,
        [arrays.spread(1, 33, *shape, scale=2), labels],
        Reference(run, loss=True, magnitude=magnitude, terms=lambda i, a: terms),
        name=f"{name} {kind} {loss}",
        parameters=weights_of(weights),
        coordinates=40,
    )


def test_weights_used_twice():
    """A shared layer's gradient is the sum over its uses."""

    def record(graph, inputs, parameters):
        x = graph.add("dense", [inputs[0], *parameters], {})
        x = graph.add("activation", [x], {"kind": "tanh"})
        return graph.add("dense", [x, *parameters], {})

    def run(inputs, attributes):
        x, w, b = inputs
        return np.tanh(x @ w + b) @ w + b

    def stretched(inputs, attributes):
        x, w, b = (np.abs(a) for a in inputs)
        return (x @ w + b) @ w + b

    check_graph(
        record,
        [arrays.normal(1, 33, 9)],
        Reference(run, magnitude=stretched, terms=lambda i, a: 20),
        name="shared dense",
        parameters=[arrays.normal(2, 9, 9), arrays.normal(3, 9)],
    )
