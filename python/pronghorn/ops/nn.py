# SPDX-License-Identifier: Apache-2.0
"""Functions of neural networks: activations, convolution, pooling, matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pronghorn import eager, tracing
from pronghorn.layers import arguments
from pronghorn.ops import operation as base
from pronghorn.ops.elementwise import (
    _unary,
    maximum,
    multiply,
    sigmoid,
    subtract,
    unary,
)
from pronghorn.ops.operation import operation
from pronghorn.ops.reductions import logsumexp
from pronghorn.ops.shaping import expand_dims, split, squeeze, transpose

hard_sigmoid = _unary("hard_sigmoid", "hard_sigmoid", "`relu6(x + 3) / 6`.")
hard_silu = _unary("hard_silu", "hard_silu", "`x * hard_sigmoid(x)`.")
hard_tanh = _unary("hard_tanh", "hard_tanh", "`x` limited to -1 to 1.")
log_sigmoid = _unary("log_sigmoid", "log_sigmoid", "`log(sigmoid(x))`.")
mish = _unary("mish", "mish", "`x * tanh(softplus(x))`.")
relu6 = _unary("relu6", "relu6", "`x` limited to 0 to 6.")
selu = _unary("selu", "selu", "Scaled exponential linear unit.")
silu = _unary("silu", "silu", "`x * sigmoid(x)`.")
softplus = _unary("softplus", "softplus", "`log(1 + exp(x))`.")
softsign = _unary("softsign", "softsign", "`x / (1 + abs(x))`.")
sparse_plus = _unary("sparse_plus", "sparse_plus", "Sparse softplus.")
sparse_sigmoid = _unary("sparse_sigmoid", "sparse_sigmoid", "`(x + 1) / 2` in 0 to 1.")
tanh_shrink = _unary("tanh_shrink", "tanh_shrink", "`x - tanh(x)`.")
swish = silu
hard_swish = hard_silu


@operation
def relu(x: Any) -> Any:
    """`max(x, 0)`."""
    if base.traced(x) and base.tensor(x).parameter:
        return maximum(x, 0.0)
    return unary("relu", x) if base.traced(x) else np.maximum(base.array(x, "relu"), 0)


@operation
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """`x` where positive, else `negative_slope * x`."""
    return subtract(relu(x), multiply(relu(-1.0 * x), negative_slope))


@operation
def elu(x: Any, alpha: float = 1.0) -> Any:
    """`x` where positive, else `alpha * (exp(x) - 1)`."""
    return unary("elu", x, alpha=float(alpha))


@operation
def celu(x: Any, alpha: float = 1.0) -> Any:
    """`x` where positive, else `alpha * (exp(x / alpha) - 1)`."""
    return unary("celu", x, alpha=float(alpha))


@operation
def gelu(x: Any, approximate: bool = True) -> Any:
    """`x` times the probability that a normal variable is below it."""
    return unary("gelu_tanh" if approximate else "gelu", x)


@operation
def glu(x: Any, axis: int = -1) -> Any:
    """Half of `x` times the sigmoid of its other half."""
    first, last = split(x, 2, axis)
    return multiply(first, sigmoid(last))


@operation
def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """`x`, or 0 where `abs(x) <= threshold`."""
    return unary("hard_shrink", x, alpha=float(threshold))


@operation
def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """`x` moved towards 0 by `threshold`."""
    return unary("soft_shrink", x, alpha=float(threshold))


@operation
def squareplus(x: Any, b: float = 4) -> Any:
    """`(x + sqrt(x * x + b)) / 2`."""
    return unary("squareplus", x, alpha=float(b))


@operation
def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """`x` where it exceeds `threshold`, else `default_value`."""
    return unary("threshold", x, alpha=float(threshold), beta=float(default_value))


@operation
def softmax(x: Any, axis: int = -1) -> Any:
    """Exponentials divided by their sum along an axis."""
    if base.traced(x):
        tensor = base.tensor(x)
        place = base.axis_in("softmax", axis, tensor.ndim)
        return base.add("softmax", x, axis=base.not_batch("softmax", tensor, place))
    last = np.moveaxis(base.array(x, "softmax"), axis, -1)
    rows = np.ascontiguousarray(last).reshape(-1, last.shape[-1])
    result = eager.run_op("softmax", [rows], axis=-1)
    return np.moveaxis(result.reshape(last.shape), -1, axis)


@operation
def log_softmax(x: Any, axis: int = -1) -> Any:
    """The logarithm of `softmax`."""
    return subtract(x, logsumexp(x, axis, True))


@operation
def one_hot(x: Any, num_classes: int, axis: int = -1) -> Any:
    """1 at the class's place and 0 elsewhere, along a new axis."""
    if not base.traced(x):
        classes = np.asarray(x)[..., np.newaxis]
        found = (classes == np.arange(num_classes)).astype(np.float32)
        return np.moveaxis(found, -1, axis)
    tensor = base.add("one_hot", x, classes=int(num_classes))
    order = list(range(tensor.ndim))
    place = base.axis_in("one_hot", axis, tensor.ndim)
    order.insert(place, order.pop())
    return tensor if order == sorted(order) else transpose(tensor, order)


@operation
def matmul(x1: Any, x2: Any) -> Any:
    """Matrix products over the last two axes.

    A batch of vectors (batch, n) times a weight (n, m) gives (batch, m).
    """
    if not base.traced(x1, x2):
        return np.matmul(base.array(x1, "matmul"), base.array(x2, "matmul"))
    a, b = base.tensors(x1, x2)
    if not a.parameter and b.parameter and b.ndim == 2 and a.ndim >= 2:
        return base.add("dense", a, b)
    if b.parameter and b.ndim == 1:
        return squeeze(matmul(a, expand_dims(b, 1)), -1)
    return base.add("matmul", a, b)


@operation
def dot(x1: Any, x2: Any) -> Any:
    """The product along x1's last axis and x2's last but one."""
    if not base.traced(x1, x2):
        return np.dot(base.array(x1, "dot"), base.array(x2, "dot"))
    if base.rank_of(x2) == 0 or base.rank_of(x1) == 0:
        return multiply(x1, x2)
    if base.rank_of(x2) > 2:
        raise ValueError(
            f"ops.dot: expected x2 of at most 2 axes in a graph, got {x2!r}"
        )
    return matmul(x1, x2)


# Convolution and pooling: in one dimension they are the ones in two, of height 1.


def _per_axis(name: str, argument: str, value: Any, dims: int) -> list[int]:
    values = [value] * dims if isinstance(value, int) else list(value)
    if len(values) != dims:
        raise ValueError(
            f"ops.{name}: expected {dims} numbers for `{argument}`, got {value!r}"
        )
    return [arguments.whole(f"ops.{name}", argument, one) for one in values]


def _dims(name: str, x: Any) -> int:
    dims = base.rank_of(x) - 2
    if not 1 <= dims <= 3:
        raise ValueError(
            f"ops.{name}: expected a batch of images with 1 to 3 axes and channels, "
            f"got {x!r}"
        )
    return dims


def _windowed(
    name: str, op: str, x: Any, weights: Sequence[Any], data_format: str | None,
    least_dims: int, **attributes: Any,
) -> Any:  # fmt: skip
    """Records a windowed op; or runs it on arrays."""
    layout = arguments.data_format(f"ops.{name}", data_format)
    dims = _dims(name, x)
    if not base.traced(x, *weights):
        return tracing.run(
            lambda one: _windowed(
                name, op, one, weights, layout, least_dims, **attributes
            ),
            base.array(x, name),
        )
    last = base.rank_of(x) - 1
    if layout == "channels_first":
        x = transpose(x, [0, *range(2, last + 1), 1])
    if dims < least_dims:
        x = expand_dims(x, 1)
        weights = [expand_dims(one, 0) for one in weights]
        for key, value in attributes.items():
            if key in _PER_AXIS:
                attributes[key] = [_PER_AXIS[key], *value]
    result: Any = base.add(op, x, *weights, **attributes)
    if dims < least_dims:
        result = squeeze(result, 1)
    if layout == "channels_first":
        result = transpose(result, [0, last, *range(1, last)])
    return result


_PER_AXIS = {"strides": 1, "dilation": 1, "pool_size": 1, "output_padding": 0}


@operation
def conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """Convolution in one to three dimensions; the kernel is (..., inputs, outputs).

    A kernel with fewer inputs than there are channels makes groups.
    """
    dims = _dims("conv", inputs)
    channels = inputs.shape[1 if data_format == "channels_first" else -1]
    groups, rest = divmod(channels, kernel.shape[-2])
    if rest:
        raise ValueError(
            f"ops.conv: expected a kernel whose inputs divide the {channels} channels, "
            f"got {kernel.shape}"
        )
    extra = {"groups": groups} if dims < 3 or groups > 1 else {}
    return _windowed(
        "conv", "conv3d" if dims == 3 else "conv2d", inputs, [kernel], data_format, 2,
        strides=_per_axis("conv", "strides", strides, dims),
        padding=arguments.padding("ops.conv", padding),
        dilation=_per_axis("conv", "dilation_rate", dilation_rate, dims), **extra,
    )  # fmt: skip


@operation
def depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """Convolution of each channel by itself; the kernel is (..., channels, factor)."""
    dims = _dims("depthwise_conv", inputs)
    return _windowed(
        "depthwise_conv", "depthwise_conv2d", inputs, [kernel], data_format, 2,
        strides=_per_axis("depthwise_conv", "strides", strides, dims),
        padding=arguments.padding("ops.depthwise_conv", padding),
        dilation=_per_axis("depthwise_conv", "dilation_rate", dilation_rate, dims),
    )  # fmt: skip


@operation
def separable_conv(
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """A depthwise convolution, then one of size 1."""
    x = depthwise_conv(
        inputs, depthwise_kernel, strides, padding, data_format, dilation_rate
    )
    return conv(x, pointwise_kernel, 1, "valid", data_format)


@operation
def max_pool(
    inputs: Any,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """The largest element of each window, in one to three dimensions."""
    return _pool("max_pool", inputs, pool_size, strides, padding, data_format)


@operation
def average_pool(
    inputs: Any,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """The mean of each window, in one to three dimensions."""
    return _pool("average_pool", inputs, pool_size, strides, padding, data_format)


def _pool(
    name: str,
    x: Any,
    pool_size: Any,
    strides: Any,
    padding: str,
    data_format: str | None,
) -> Any:
    dims = _dims(name, x)
    size = _per_axis(name, "pool_size", pool_size, dims)
    step = size if strides is None else _per_axis(name, "strides", strides, dims)
    return _windowed(
        name, f"{name}{max(dims, 2)}d", x, [], data_format, 2,
        pool_size=size, strides=step, padding=arguments.padding(f"ops.{name}", padding),
    )  # fmt: skip
