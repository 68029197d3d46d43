# SPDX-License-Identifier: Apache-2.0
"""Functions of single elements: arithmetic, comparisons, exp, log and the like."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pronghorn import eager
from pronghorn.ops import operation as base
from pronghorn.ops.operation import operation

Unary = Callable[[Any], Any]
Binary = Callable[[Any, Any], Any]


def unary(kind: str, x: Any, **attributes: float) -> Any:
    """The core's op of that kind."""
    if not base.traced(x):
        values = base.array(x, kind)
        if values.size == 0:
            return values
        rows = values.reshape(1, -1)
        return eager.run_op("unary", [rows], kind=kind, **attributes).reshape(
            values.shape
        )
    found = base.tensor(x)
    if kind in ("relu", "tanh", "sigmoid") and not found.parameter:
        return base.add("activation", found, kind=kind)  # these fuse with other ops
    return base.add("unary", found, kind=kind, **attributes)


def _unary(name: str, kind: str, text: str) -> Unary:
    def function(x: Any) -> Any:
        return unary(kind, x)

    result: Unary = _named(function, name, text)
    return result


def _named(function: Any, name: str, text: str) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = text
    return operation(function)


absolute = _unary("absolute", "abs", "Absolute value.")
ceil = _unary("ceil", "ceil", "Smallest whole number not below x.")
cos = _unary("cos", "cos", "Cosine.")
erf = _unary("erf", "erf", "Error function.")
exp = _unary("exp", "exp", "Exponential.")
expm1 = _unary("expm1", "expm1", "`exp(x) - 1`, exact for small x.")
floor = _unary("floor", "floor", "Largest whole number not above x.")
isnan = _unary("isnan", "is_nan", "1 where x is not a number, else 0.")
log = _unary("log", "log", "Natural logarithm.")
log1p = _unary("log1p", "log1p", "`log(1 + x)`, exact for small x.")
negative = _unary("negative", "negative", "`-x`.")
reciprocal = _unary("reciprocal", "reciprocal", "`1 / x`.")
rsqrt = _unary("rsqrt", "rsqrt", "`1 / sqrt(x)`.")
sigmoid = _unary("sigmoid", "sigmoid", "Logistic function, `1 / (1 + exp(-x))`.")
sign = _unary("sign", "sign", "-1, 0 or 1.")
sin = _unary("sin", "sin", "Sine.")
sqrt = _unary("sqrt", "sqrt", "Square root.")
square = _unary("square", "square", "`x * x`.")
tanh = _unary("tanh", "tanh", "Hyperbolic tangent.")


def abs(x: Any) -> Any:
    """Absolute value."""
    return absolute(x)


@operation
def log2(x: Any) -> Any:
    """Logarithm to the base 2."""
    return multiply(log(x), 1.0 / math.log(2.0))


@operation
def log10(x: Any) -> Any:
    """Logarithm to the base 10."""
    return multiply(log(x), 1.0 / math.log(10.0))


@operation
def round(x: Any, decimals: int = 0) -> Any:
    """Nearest number with so many decimals; halves go to the even neighbour."""
    factor = 10.0**decimals
    return divide(unary("round", multiply(x, factor)), factor)


def binary(kind: str, x1: Any, x2: Any) -> Any:
    """The core's op of that kind, or NumPy's."""
    if base.traced(x1, x2):
        return base.add("binary", x1, x2, kind=kind)
    with np.errstate(all="ignore"):
        return getattr(np, kind)(base.array(x1, kind), base.array(x2, kind))


def _binary(name: str, kind: str, text: str) -> Binary:
    def function(x1: Any, x2: Any) -> Any:
        return binary(kind, x1, x2)

    result: Binary = _named(function, name, text)
    return result


add = _binary("add", "add", "`x1 + x2`.")
divide = _binary("divide", "divide", "`x1 / x2`.")
maximum = _binary("maximum", "maximum", "The larger one of two.")
minimum = _binary("minimum", "minimum", "The smaller one of two.")
multiply = _binary("multiply", "multiply", "`x1 * x2`.")
power = _binary("power", "power", "`x1` to the power `x2`.")
subtract = _binary("subtract", "subtract", "`x1 - x2`.")
true_divide = divide

_TRUTH = " 1 or 0 in a graph, which has no gradient; bools for arrays."
equal = _binary("equal", "equal", "Whether x1 == x2." + _TRUTH)
greater = _binary("greater", "greater", "Whether x1 > x2." + _TRUTH)
greater_equal = _binary("greater_equal", "greater_equal", "Whether x1 >= x2." + _TRUTH)
less = _binary("less", "less", "Whether x1 < x2." + _TRUTH)
less_equal = _binary("less_equal", "less_equal", "Whether x1 <= x2." + _TRUTH)
not_equal = _binary("not_equal", "not_equal", "Whether x1 != x2." + _TRUTH)


@operation
def logical_and(x1: Any, x2: Any) -> Any:
    """Whether both are nonzero."""
    return multiply(not_equal(x1, 0.0), not_equal(x2, 0.0))


@operation
def logical_or(x1: Any, x2: Any) -> Any:
    """Whether one of the two is nonzero."""
    return maximum(not_equal(x1, 0.0), not_equal(x2, 0.0))


@operation
def logical_not(x: Any) -> Any:
    """Whether x is zero."""
    return equal(x, 0.0)


@operation
def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """`x` limited to the range from `x_min` to `x_max`."""
    return minimum(maximum(x, x_min), x_max)


@operation
def where(condition: Any, x1: Any, x2: Any) -> Any:
    """`x1` where the condition is nonzero, else `x2`."""
    if base.traced(condition, x1, x2):
        return base.add("where", condition, x1, x2)
    chosen = base.array(condition, "where") != 0
    return np.where(chosen, base.array(x1, "where"), base.array(x2, "where"))


@operation
def zeros_like(x: Any) -> Any:
    """Zeros in the shape of x."""
    if not base.traced(x):
        return np.zeros_like(base.array(x, "zeros_like"))
    return less(x, x)  # never, and not NaN for NaN


@operation
def ones_like(x: Any) -> Any:
    """Ones in the shape of x."""
    return add(zeros_like(x), 1.0)


@operation
def full_like(x: Any, fill_value: Any) -> Any:
    """A value in the shape of x."""
    return add(zeros_like(x), fill_value)


@operation
def cast(x: Any, dtype: str) -> Any:
    """`x` as numbers of another kind, which are float32 all the same.

    "bool" gives 0 and 1, an integer type cuts off the decimals.
    """
    name = str(dtype)
    if name.startswith("float") or name == "bfloat16":
        return x if base.traced(x) else base.array(x, "cast")
    if name == "bool":
        return add(not_equal(x, 0.0), 0.0)
    if name.startswith(("int", "uint")):
        return multiply(sign(x), floor(absolute(x)))
    raise ValueError(f"ops.cast: expected a number type, got {dtype!r}")


@operation
def stop_gradient(variable: Any) -> Any:
    """`variable`, through which no gradient goes."""
    if base.traced(variable):
        return base.add("stop_gradient", variable)
    return base.array(variable, "stop_gradient")
