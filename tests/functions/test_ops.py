# SPDX-License-Identifier: Apache-2.0
"""pronghorn.ops: the same numbers on arrays, symbolic tensors, traced ones, weights."""

import numpy as np
import pytest

from pronghorn import Input, Model, Variable, ops
from pronghorn.layers import Layer
from pronghorn.testing import arrays

X = arrays.normal(3, 5, 4, 6).astype(np.float32)
Y = arrays.normal(4, 5, 4, 6).astype(np.float32)
W = arrays.normal(5, 4, 6).astype(np.float32)
POSITIVE = np.abs(X) + np.float32(0.1)
IMAGES = arrays.normal(6, 3, 7, 6, 4).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# (function of a tensor, the same in NumPy, input)
CASES = {
    "arithmetic": (
        lambda x: (2 - x) * 3 / (x * x + 1) - -x,
        lambda x: (2 - x) * 3 / (x * x + 1) + x,
        X,
    ),
    "reversed": (
        lambda x: 1 - x + 2 * x + 3 / (2 + abs(x)),
        lambda x: 1 - x + 2 * x + 3 / (2 + abs(x)),
        X,
    ),
    "power": (lambda x: x**1.5, lambda x: x**1.5, POSITIVE),
    "matmul": (lambda x: x @ W.T, lambda x: x @ W.T, X),
    "matmul_batched": (
        lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1))),
        lambda x: x @ x.swapaxes(1, 2),
        X,
    ),
    "dot_vector": (lambda x: ops.dot(x, W[0]), lambda x: x @ W[0], X),
    "exp": (ops.exp, np.exp, X),
    "log": (ops.log, np.log, POSITIVE),
    "log2": (ops.log2, np.log2, POSITIVE),
    "log10": (ops.log10, np.log10, POSITIVE),
    "sqrt": (ops.sqrt, np.sqrt, POSITIVE),
    "square": (ops.square, np.square, X),
    "absolute": (ops.abs, np.abs, X),
    "sign": (ops.sign, np.sign, X),
    "sin": (ops.sin, np.sin, X),
    "round": (lambda x: ops.round(x, 1), lambda x: np.round(x, 1), X),
    "sigmoid": (ops.sigmoid, sigmoid, X),
    "tanh": (ops.tanh, np.tanh, X),
    "relu": (ops.relu, lambda x: np.maximum(x, 0), X),
    "leaky_relu": (
        lambda x: ops.leaky_relu(x, 0.1),
        lambda x: np.where(x > 0, x, 0.1 * x),
        X,
    ),
    "silu": (ops.silu, lambda x: x * sigmoid(x), X),
    "softplus": (ops.softplus, lambda x: np.log1p(np.exp(x)), X),
    "glu": (ops.glu, lambda x: x[..., :3] * sigmoid(x[..., 3:]), X),
    "clip": (lambda x: ops.clip(x, -0.5, 0.5), lambda x: np.clip(x, -0.5, 0.5), X),
    "maximum": (lambda x: ops.maximum(x, Y[0]), lambda x: np.maximum(x, Y[0]), X),
    "where": (lambda x: ops.where(x > 0, x, 0.5), lambda x: np.where(x > 0, x, 0.5), X),
    "logic": (
        lambda x: ops.where(
            ops.logical_or(x > 1, ops.logical_and(x < 0, ops.logical_not(x < -1))), 1, 2
        ),
        lambda x: np.where((x > 1) | ((x < 0) & ~(x < -1)), 1, 2),
        X,
    ),
    "cast": (
        lambda x: ops.cast(2 * x, "int32") + ops.cast(x > 0, "float32"),
        lambda x: np.trunc(2 * x) + (x > 0),
        X,
    ),
    "ones_like": (lambda x: ops.ones_like(x) + ops.zeros_like(x), np.ones_like, X),
    "full_like": (lambda x: ops.full_like(x, 3) - 1, lambda x: np.full_like(x, 2), X),
    "stop_gradient": (ops.stop_gradient, lambda x: x, X),
    "sum": (lambda x: ops.sum(x, axis=(1, 2)), lambda x: x.sum((1, 2)), X),
    "mean": (
        lambda x: ops.mean(x, axis=-1, keepdims=True),
        lambda x: x.mean(-1, keepdims=True),
        X,
    ),
    "max": (lambda x: ops.max(x, axis=1), lambda x: x.max(1), X),
    "min": (lambda x: ops.min(x, axis=-2), lambda x: x.min(-2), X),
    "prod": (lambda x: ops.prod(x, axis=2), lambda x: x.prod(2), X),
    "var": (lambda x: ops.var(x, axis=1), lambda x: x.var(1), X),
    "std": (lambda x: ops.std(x, axis=(1, 2)), lambda x: x.std((1, 2)), X),
    "logsumexp": (
        lambda x: ops.logsumexp(100 * x, axis=-1),
        lambda x: (
            100 * x.max(-1)
            + np.log(np.exp(100 * (x - x.max(-1, keepdims=True))).sum(-1))
        ),
        X,
    ),
    "argmax": (lambda x: ops.argmax(x, axis=-1), lambda x: x.argmax(-1), X),
    "argmin": (lambda x: ops.argmin(x, axis=1), lambda x: x.argmin(1), X),
    "any": (lambda x: ops.any(x > 1, axis=1), lambda x: (x > 1).any(1), X),
    "all": (lambda x: ops.all(x > -1, axis=-1), lambda x: (x > -1).all(-1), X),
    "average": (
        lambda x: ops.average(x, axis=2, weights=W[0]),
        lambda x: (x * W[0]).sum(2) / W[0].sum(),
        X,
    ),
    "norm": (lambda x: ops.norm(x, axis=-1), lambda x: np.linalg.norm(x, axis=-1), X),
    "norm_1": (lambda x: ops.norm(x, ord=1, axis=1), lambda x: np.abs(x).sum(1), X),
    "norm_inf": (
        lambda x: ops.norm(x, ord=np.inf, axis=1),
        lambda x: np.abs(x).max(1),
        X,
    ),
    "norm_3": (
        lambda x: ops.norm(x, ord=3, axis=1),
        lambda x: (np.abs(x) ** 3).sum(1) ** (1 / 3),
        X,
    ),
    "normalize": (
        ops.normalize,
        lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True),
        X,
    ),
    "softmax": (ops.softmax, lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True), X),
    "softmax_axis": (
        lambda x: ops.softmax(x, axis=1),
        lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True),
        X,
    ),
    "log_softmax": (
        ops.log_softmax,
        lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)),
        X,
    ),
    "reshape": (lambda x: ops.reshape(x, (-1, 3, 8)), lambda x: x.reshape(-1, 3, 8), X),
    "reshape_open": (
        lambda x: ops.reshape(x, (x.shape[0] or -1, -1)),
        lambda x: x.reshape(5, -1),
        X,
    ),
    "transpose": (
        lambda x: ops.transpose(x, (0, 2, 1)),
        lambda x: x.transpose(0, 2, 1),
        X,
    ),
    "swapaxes": (lambda x: ops.swapaxes(x, 1, -1), lambda x: x.swapaxes(1, 2), X),
    "moveaxis": (lambda x: ops.moveaxis(x, -1, 1), lambda x: np.moveaxis(x, -1, 1), X),
    "expand_dims": (
        lambda x: ops.expand_dims(x, -2),
        lambda x: np.expand_dims(x, -2),
        X,
    ),
    "squeeze": (lambda x: ops.squeeze(x[:, :1], 1), lambda x: x[:, 0], X),
    "broadcast_to": (
        lambda x: ops.broadcast_to(
            x[:, :1], (-1 if x.shape[0] is None else x.shape[0], 3, 6)
        ),
        lambda x: np.repeat(x[:, :1], 3, 1),
        X,
    ),
    "concatenate": (
        lambda x: ops.concatenate([x, 2 * x, -x], axis=1),
        lambda x: np.concatenate([x, 2 * x, -x], 1),
        X,
    ),
    "concatenate_many": (
        lambda x: ops.concatenate([x * i for i in range(11)], axis=-1),
        lambda x: np.concatenate([x * i for i in range(11)], -1),
        X,
    ),
    "stack": (lambda x: ops.stack([x, -x], axis=2), lambda x: np.stack([x, -x], 2), X),
    "split": (
        lambda x: ops.split(x, 3, axis=-1)[1],
        lambda x: np.split(x, 3, -1)[1],
        X,
    ),
    "split_at": (lambda x: ops.split(x, [1, 3], axis=1)[1], lambda x: x[:, 1:3], X),
    "unstack": (lambda x: ops.unstack(x, axis=1)[2], lambda x: x[:, 2], X),
    "flip": (lambda x: ops.flip(x, axis=(1, 2)), lambda x: x[:, ::-1, ::-1], X),
    "pad": (
        lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 3)), constant_values=7),
        lambda x: np.pad(x, ((0, 0), (1, 2), (0, 3)), constant_values=7),
        X,
    ),
    "index": (lambda x: x[:, 1:, ::2], lambda x: x[:, 1:, ::2], X),
    "index_number": (lambda x: x[:, -1], lambda x: x[:, -1], X),
    "index_new": (lambda x: x[:, None, ..., 3], lambda x: x[:, None, ..., 3], X),
    "index_back": (lambda x: x[..., ::-2], lambda x: x[..., ::-2], X),
    "slice": (
        lambda x: ops.slice(x, (0, 1, 2), (-1, 2, 3)),
        lambda x: x[:, 1:3, 2:5],
        X,
    ),
    "repeat": (lambda x: ops.repeat(x, 3, axis=1), lambda x: np.repeat(x, 3, 1), X),
    "tile": (lambda x: ops.tile(x, (1, 2, 3)), lambda x: np.tile(x, (1, 2, 3)), X),
    "roll": (lambda x: ops.roll(x, 2, axis=-1), lambda x: np.roll(x, 2, -1), X),
    "one_hot": (
        lambda x: ops.one_hot(ops.argmax(x, -1), 6),
        lambda x: np.eye(6)[x.argmax(-1)],
        X,
    ),
    "one_hot_axis": (
        lambda x: ops.one_hot(ops.argmax(x, -1), 6, axis=1),
        lambda x: np.moveaxis(np.eye(6)[x.argmax(-1)], -1, 1),
        X,
    ),
}


class Traced(Layer):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, inputs):
        return self.function(inputs)


def close(got, expected):
    got = np.asarray(got)
    assert got.shape == np.shape(expected)
    np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", CASES)
def test_on_arrays(name):
    function, expected, x = CASES[name]
    close(
        function(ops.convert_to_tensor(x)) if "index" in name else function(x),
        expected(x),
    )


@pytest.mark.parametrize("name", CASES)
def test_in_a_traced_layer(name):
    function, expected, x = CASES[name]
    close(Traced(function)(x), expected(x))


@pytest.mark.parametrize("name", CASES)
def test_between_layers(name):
    function, expected, x = CASES[name]
    image = Input(x.shape[1:])
    result = function(image)
    close(Model(image, result)(x), expected(x))
    assert result.shape[1:] == np.shape(expected(x))[1:]


class OfWeights(Layer):
    """A function of a weight, broadcast to the batch."""

    def __init__(self, function, value):
        super().__init__()
        self.function = function
        self.w = Variable(value)

    def call(self, inputs):
        return ops.zeros_like(inputs)[..., None] + self.function(self.w)


@pytest.mark.parametrize("name", sorted(set(CASES) - {"index_new", "dot_vector"}))
def test_of_weights_alone(name):
    function, expected, x = CASES[name]
    got = OfWeights(lambda w: ops.reshape(function(w), (1, -1)), x)(np.zeros((2, 1)))
    close(got[1, 0], np.reshape(expected(x), -1))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (ops.sum, "got <a sum or mean over the whole batch"),
        (ops.max, "axis=None would include the batch"),
        (lambda x: ops.mean(x, axis=0), "axis 0 is the batch"),
        (lambda x: x[1:], "axis 0 is the batch"),
        (lambda x: ops.concatenate([x, x]), "axis 0 is the batch"),
        (ops.flip, "axis 0 is the batch"),
        (ops.transpose, "the batch first"),
        (lambda x: ops.reshape(x, (4, -1)), "whose first axis is the batch"),
        (lambda x: ops.sum(x, axis=3), "from -3 to 2, got 3"),
        (lambda x: ops.sum(x, axis=(1, -2)), "expected different axes"),
        (lambda x: x[:, 9], "integers below 4"),
        (lambda x: x[:, 3:3], "nothing remains"),
        (lambda x: ops.split(x, 4, axis=2), "divides 6, got 4"),
        (lambda x: ops.squeeze(x, 1), "to have size 1"),
        (lambda x: x + np.ones((5, 1, 1)), "batch"),
    ],
)
def test_errors_in_a_trace(function, message):
    with pytest.raises(ValueError, match=message):
        Traced(function)(X)


def test_no_values_while_recording():
    with pytest.raises(TypeError, match="no values while it is recorded"):
        Traced(lambda x: x if x > 0 else -x)(X)
    with pytest.raises(TypeError, match="instead of NumPy"):
        Traced(lambda x: ops.relu(np.exp(x)))(X)
    with pytest.raises(TypeError, match="cannot be iterated"):
        Traced(lambda x: next(iter(x)))(X)


def test_tensor_of_another_call():
    kept = []

    def function(x):
        kept.append(x)
        return x + kept[0]

    layer = Traced(function)
    with pytest.raises(ValueError, match="another graph"):
        layer(X), layer(X[:2])


def test_array_on_the_left():
    image = Input((4, 6))
    close(Model(image, Y[0] * image)(X), Y[0] * X)
    close(Traced(lambda x: Y[0] - x)(X), Y[0] - X)
    close(np.float32(2) * Variable(W), 2 * W)


def test_variables_outside_of_a_trace_are_arrays():
    v = Variable(W)
    close(v * 2 + ops.exp(v), W * 2 + np.exp(W))
    close(v[1:], W[1:])


@pytest.mark.parametrize("mode", ["array", "layer"])
@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x: ops.conv(x, np.ones((3, 2, 4, 5)), 1, "same"), (3, 7, 6, 5)),
        (lambda x: ops.conv(x, np.ones((3, 3, 2, 6)), (2, 1)), (3, 3, 4, 6)),
        (lambda x: ops.conv(x[:, 0], np.ones((3, 4, 5)), 2, "same"), (3, 3, 5)),
        (lambda x: ops.conv(x[..., None], np.ones((2, 2, 2, 1, 3))), (3, 6, 5, 3, 3)),
        (lambda x: ops.depthwise_conv(x, np.ones((2, 2, 4, 3))), (3, 6, 5, 12)),
        (
            lambda x: ops.separable_conv(
                x, np.ones((2, 2, 4, 3)), np.ones((1, 1, 12, 2))
            ),
            (3, 6, 5, 2),
        ),
        (lambda x: ops.conv_transpose(x, np.ones((2, 2, 5, 4)), 2), (3, 14, 12, 5)),
        (lambda x: ops.max_pool(x, 2), (3, 3, 3, 4)),
        (lambda x: ops.average_pool(x, 3, 2, "same"), (3, 4, 3, 4)),
        (lambda x: ops.max_pool(x[:, 0], 2), (3, 3, 4)),
        (lambda x: ops.max_pool(x, 2, data_format="channels_first"), (3, 7, 3, 2)),
    ],
)
def test_windows_shape(function, shape, mode):
    assert (
        np.shape(function(IMAGES) if mode == "array" else Traced(function)(IMAGES))
        == shape
    )
