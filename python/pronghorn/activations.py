# SPDX-License-Identifier: Apache-2.0
"""Activation functions: what `activation=` accepts, and functions of NumPy arrays.

Each function here runs an op of the core on an array; `lower` adds the same op, with
the function's default arguments, to a graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from pronghorn import eager, registry, tracing

if TYPE_CHECKING:
    from pronghorn.layers.lowering import GraphBuilder

Array = NDArray[np.float32]
Activation = Callable[..., Array]


def linear(x: Any) -> Array:
    """Returns `x` as it is."""
    if tracing.is_symbol(x):
        return cast("Array", x)
    return eager.as_float(x, "linear")


def relu(
    x: Any,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> Array:
    """Rectified linear unit, `max(x, 0)` with the default arguments.

    Args:
        x: Array-like.
        negative_slope: Slope below the threshold.
        max_value: Largest value of the result; None means no limit.
        threshold: Value below which `x` is damped or set to zero.

    Example:
        >>> relu([-1.0, 2.0])
        array([0., 2.], dtype=float32)

    Reference:
        Nair and Hinton, Rectified linear units improve restricted Boltzmann machines,
        ICML 2010.
    """
    op, attributes = relu_op(negative_slope, max_value, threshold)
    return _elementwise(op, x, **attributes)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Array:
    """`x` where it is at least 0, `negative_slope * x` elsewhere.

    Args:
        x: Array-like.
        negative_slope: Slope below zero.

    Example:
        >>> leaky_relu([-1.0, 2.0])
        array([-0.2,  2. ], dtype=float32)

    Reference:
        Maas, Hannun and Ng, Rectifier nonlinearities improve neural network acoustic
        models, ICML 2013.
    """
    return _unary("leaky_relu", x, alpha=negative_slope)


def relu6(x: Any) -> Array:
    """`min(max(x, 0), 6)`.

    Example:
        >>> relu6([-1.0, 2.0, 9.0])
        array([0., 2., 6.], dtype=float32)
    """
    return _unary("relu6", x)


def elu(x: Any, alpha: float = 1.0) -> Array:
    """Exponential linear unit: `x` above 0, `alpha * (exp(x) - 1)` elsewhere.

    Args:
        x: Array-like.
        alpha: Minus the limit far below zero.

    Reference:
        Clevert, Unterthiner and Hochreiter, Fast and accurate deep network learning by
        exponential linear units, ICLR 2016.
    """
    return _unary("elu", x, alpha=alpha)


def selu(x: Any) -> Array:
    """Scaled exponential linear unit: `scale * elu(x, alpha)`.

    The constants, 1.0507 and 1.6733, keep mean 0 and variance 1 from layer to layer
    where weights are "lecun_normal".

    Reference:
        Klambauer et al., Self-normalizing neural networks, NeurIPS 2017.
    """
    return _unary("selu", x)


def celu(x: Any, alpha: float = 1.0) -> Array:
    """`max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0)`: an `elu` without a kink.

    Args:
        x: Array-like.
        alpha: Minus the limit far below zero.

    Reference:
        Barron, Continuously differentiable exponential linear units, 2017.
    """
    return _unary("celu", x, alpha=alpha)


def gelu(x: Any, approximate: bool = False) -> Array:
    """Gaussian error linear unit: `x` times the share of normal numbers below it.

    Args:
        x: Array-like.
        approximate: Whether a formula with tanh stands in for the error function.

    Reference:
        Hendrycks and Gimpel, Gaussian error linear units, 2016.
    """
    return _unary("gelu_tanh" if approximate else "gelu", x)


def silu(x: Any) -> Array:
    """`x * sigmoid(x)`, also called swish.

    Example:
        >>> silu([0.0, 100.0])
        array([  0., 100.], dtype=float32)

    Reference:
        Ramachandran, Zoph and Le, Searching for activation functions, 2017.
    """
    return _unary("silu", x)


def mish(x: Any) -> Array:
    """`x * tanh(softplus(x))`.

    Reference:
        Misra, Mish: a self regularized non-monotonic activation function, 2019.
    """
    return _unary("mish", x)


def softplus(x: Any) -> Array:
    """`log(1 + exp(x))`.

    Example:
        >>> softplus([-200.0, 200.0])
        array([  0., 200.], dtype=float32)
    """
    return _unary("softplus", x)


def softsign(x: Any) -> Array:
    """`x / (1 + |x|)`.

    Example:
        >>> softsign([-1.0, 0.0, 1.0])
        array([-0.5,  0. ,  0.5], dtype=float32)
    """
    return _unary("softsign", x)


def squareplus(x: Any, b: float = 4) -> Array:
    """`(x + sqrt(x ** 2 + b)) / 2`: a `softplus` without exponential.

    Args:
        x: Array-like.
        b: How smooth the bend is; 0 makes it a ReLU.

    Reference:
        Barron, Squareplus: a softplus-like algebraic rectifier, 2021.
    """
    return _unary("squareplus", x, alpha=b)


def sparse_plus(x: Any) -> Array:
    """0 up to -1, `x` from 1 on, a parabola between."""
    return _unary("sparse_plus", x)


def sigmoid(x: Any) -> Array:
    """Logistic function, `1 / (1 + exp(-x))`.

    Example:
        >>> sigmoid([0.0, 100.0])
        array([0.5, 1. ], dtype=float32)
    """
    return _elementwise("activation", x, kind="sigmoid")


def log_sigmoid(x: Any) -> Array:
    """Logarithm of the logistic function.

    Example:
        >>> log_sigmoid([-200.0])
        array([-200.], dtype=float32)
    """
    return _unary("log_sigmoid", x)


def hard_sigmoid(x: Any) -> Array:
    """`relu6(x + 3) / 6`: three straight lines for a sigmoid.

    Example:
        >>> hard_sigmoid([-4.0, 0.0, 4.0])
        array([0. , 0.5, 1. ], dtype=float32)
    """
    return _unary("hard_sigmoid", x)


def sparse_sigmoid(x: Any) -> Array:
    """0 up to -1, 1 from 1 on, a straight line between.

    Example:
        >>> sparse_sigmoid([-2.0, 0.0, 2.0])
        array([0. , 0.5, 1. ], dtype=float32)
    """
    return _unary("sparse_sigmoid", x)


def hard_silu(x: Any) -> Array:
    """`x * hard_sigmoid(x)`, also called hard_swish.

    Reference:
        Howard et al., Searching for MobileNetV3, ICCV 2019.
    """
    return _unary("hard_silu", x)


def tanh(x: Any) -> Array:
    """Hyperbolic tangent.

    Example:
        >>> tanh([0.0, 100.0])
        array([0., 1.], dtype=float32)
    """
    return _elementwise("activation", x, kind="tanh")


def hard_tanh(x: Any) -> Array:
    """`x`, but at least -1 and at most 1.

    Example:
        >>> hard_tanh([-2.0, 0.5, 2.0])
        array([-1. ,  0.5,  1. ], dtype=float32)
    """
    return _unary("hard_tanh", x)


def tanh_shrink(x: Any) -> Array:
    """`x - tanh(x)`."""
    return _unary("tanh_shrink", x)


def hard_shrink(x: Any, threshold: float = 0.5) -> Array:
    """`x` where `|x|` is above the threshold, 0 elsewhere.

    Args:
        x: Array-like.
        threshold: Where zero ends.

    Example:
        >>> hard_shrink([-0.75, 0.25, 0.75])
        array([-0.75,  0.  ,  0.75], dtype=float32)
    """
    return _unary("hard_shrink", x, alpha=threshold)


def soft_shrink(x: Any, threshold: float = 0.5) -> Array:
    """`x` moved towards 0 by the threshold, and no further than 0.

    Args:
        x: Array-like.
        threshold: By how much.

    Example:
        >>> soft_shrink([-0.75, 0.25, 0.75])
        array([-0.25,  0.  ,  0.25], dtype=float32)
    """
    return _unary("soft_shrink", x, alpha=threshold)


def threshold(x: Any, threshold: float, default_value: float) -> Array:
    """`x` where it is above the threshold, `default_value` elsewhere.

    Args:
        x: Array-like.
        threshold: What `x` must exceed.
        default_value: The result elsewhere.

    Example:
        >>> threshold([1.0, 3.0], 2.0, -1.0)
        array([-1.,  3.], dtype=float32)
    """
    return _unary("threshold", x, alpha=threshold, beta=default_value)


def exponential(x: Any) -> Array:
    """`exp(x)`.

    Example:
        >>> exponential([0.0])
        array([1.], dtype=float32)
    """
    return _unary("exp", x)


def softmax(x: Any, axis: int = -1) -> Array:
    """Exponentials divided by their sum along an axis.

    Args:
        x: Array-like.
        axis: Axis along which the result sums to 1.

    Example:
        >>> softmax([1.0, 1.0])
        array([0.5, 0.5], dtype=float32)
    """
    return _along_axis("softmax", x, axis)


def log_softmax(x: Any, axis: int = -1) -> Array:
    """Logarithm of `softmax`, without its underflow.

    Args:
        x: Array-like.
        axis: Axis along which the exponentials of the result sum to 1.

    Example:
        >>> log_softmax([0.0, 200.0])
        array([-200.,    0.], dtype=float32)
    """
    return _along_axis("log_softmax", x, axis)


def sparsemax(x: Any, axis: int = -1) -> Array:
    """The nearest point to `x` whose coordinates are at least 0 and sum to 1.

    Keras 3.15 has another threshold where several coordinates stay above 0; its results
    then do not sum to 1.

    Args:
        x: Array-like.
        axis: Axis along which the result sums to 1.

    Example:
        >>> sparsemax([1.0, 1.5, -3.0])
        array([0.25, 0.75, 0.  ], dtype=float32)

    Reference:
        Martins and Astudillo, From softmax to sparsemax, ICML 2016.
    """
    return _along_axis("sparsemax", x, axis)


def glu(x: Any, axis: int = -1) -> Array:
    """Gated linear unit: the first half of `x` times the sigmoid of the second.

    Args:
        x: Array-like.
        axis: The axis that is halved; its size is even.

    Example:
        >>> glu([2.0, 4.0, 0.0, 200.0])
        array([1., 4.], dtype=float32)

    Reference:
        Dauphin et al., Language modeling with gated convolutional networks, ICML 2017.
    """
    return _along_axis("glu", x, axis)


def relu_op(
    negative_slope: float, max_value: float | None, threshold: float
) -> tuple[str, dict[str, Any]]:
    """The core's op and its attributes; the plain one can be fused with others."""
    if (negative_slope, max_value, threshold) == (0, None, 0):
        return "activation", {"kind": "relu"}
    return "relu", {
        "negative_slope": float(negative_slope),
        "max_value": float("inf") if max_value is None else float(max_value),
        "threshold": float(threshold),
    }


def _unary(kind: str, x: Any, **numbers: float) -> Array:
    return _elementwise(
        "unary", x, kind=kind, **{name: float(n) for name, n in numbers.items()}
    )


def _elementwise(op: str, x: Any, **attributes: Any) -> Array:
    if tracing.is_symbol(x):
        return cast("Array", tracing.symbol_op(op, x, **attributes))
    array = eager.as_float(x, attributes.get("kind", op))
    if array.size == 0:
        return array
    return eager.run_op(op, [array.reshape(1, -1)], **attributes).reshape(array.shape)


def _along_axis(op: str, x: Any, axis: int) -> Array:
    if tracing.is_symbol(x):
        return cast("Array", tracing.symbol_op(op, x, axis=axis))
    array = eager.as_float(x, op)
    if array.ndim == 0 or not -array.ndim <= axis < array.ndim:
        raise ValueError(f"{op}: expected an axis of {array.shape}, got {axis}")
    last = np.moveaxis(array, axis, -1)
    rows = np.ascontiguousarray(last).reshape(-1, last.shape[-1])
    result = eager.run_op(op, [rows], axis=-1)
    return np.moveaxis(result.reshape(*last.shape[:-1], result.shape[-1]), -1, axis)


_SAME_NAME = (  # in Keras and in the core
    "celu elu gelu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu "
    "log_sigmoid mish relu6 selu silu soft_shrink softplus softsign "
    "sparse_plus sparse_sigmoid squareplus tanh_shrink"
)
_UNARY = {name: name for name in _SAME_NAME.split()} | {"exponential": "exp"}
_FUSED = ("relu", "sigmoid", "tanh")  # what other ops of the core may take in
_ALONG_AXIS = ("glu", "log_softmax", "softmax", "sparsemax")

_FUNCTIONS: dict[str, Activation] = {
    name: globals()[name]
    for name in sorted(("linear", "threshold", *_FUSED, *_UNARY, *_ALONG_AXIS))
}
_ALIASES: dict[str, Activation] = {"hard_swish": hard_silu, "swish": silu}
hard_swish = hard_silu
swish = silu


def get(identifier: str | Activation | None) -> Activation:
    """An activation function from its name; None is `linear`."""
    if identifier is None:
        return linear
    if callable(identifier):
        return identifier
    found: Activation = registry.find("activation", identifier, _FUNCTIONS | _ALIASES)
    return found


def serialize(activation: Activation) -> str:
    """The name of an activation function; of a user's own, which has none, its own."""
    for name, known in _FUNCTIONS.items():
        if known is activation:
            return name
    return getattr(activation, "__name__", type(activation).__name__)


def deserialize(name: str) -> Activation:
    """An activation function from its name."""
    return get(name)


def lower(graph: GraphBuilder, tensor: int, activation: Activation) -> int:
    """Adds an activation to a graph."""
    if activation not in _FUNCTIONS.values():
        return tracing.record(graph, activation, [tensor])
    name = serialize(activation)
    if name == "linear":
        return tensor
    if name in _FUSED:
        return graph.add("activation", [tensor], kind=name)
    if name in _UNARY:
        return graph.add("unary", [tensor], kind=_UNARY[name])
    if name in _ALONG_AXIS:
        return graph.add(name, [tensor], axis=-1)
    raise ValueError(
        f"activation '{name}' has arguments without defaults; expected one without"
    )
