# SPDX-License-Identifier: Apache-2.0
"""A user's own forward and backward pass, in NumPy, inside of a compiled model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pronghorn.ops import operation as base
from pronghorn.ops.operation import operation

Shape = Sequence[int]


def custom_op(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    output_shape: Shape | Callable[..., Shape] | None = None,
) -> Callable[..., Any]:
    """A function of tensors from two functions of NumPy arrays.

    The functions see the whole batch and run one at a time, under Python's lock: this
    is for trying things out. `pronghorn.testing.check_layer` checks the gradient of a
    layer that uses it. An exception in either ends the call of `fit` or `predict` and
    is raised from it; the step it happened in changes no weights.

    Args:
        forward: `forward(*inputs)` returns the output.
        backward: `backward(dy, *inputs)`, with the gradient of the output, returns the
            gradient of the input, or a list of one per input; None stands for zeros.
        output_shape: The shape of the output without the batch, or a function that
            gets the shapes of the inputs without it; by default that of the first
            input.

    Example:
        >>> cube = custom_op(lambda x: x**3, lambda dy, x: 3 * x**2 * dy)
        >>> cube(np.float32([[1.0, 2.0]]))
        array([[1., 8.]], dtype=float32)
    """
    for name, value in (("forward", forward), ("backward", backward)):
        if not callable(value):
            raise TypeError(
                f"custom_op: expected `{name}` to be callable, got {value!r}"
            )

    def function(*inputs: Any) -> Any:
        if not base.traced(*inputs):
            arrays = [base.array(one, "custom_op") for one in inputs]
            return np.asarray(forward(*arrays), np.float32)
        tensors = base.tensors(*inputs)
        shapes = [t.shape if t.parameter else t.shape[1:] for t in tensors]
        shape = output_shape(*shapes) if callable(output_shape) else output_shape
        return base.add(
            "custom",
            *tensors,
            function=(forward, backward),
            shape=[int(size) for size in (shapes[0] if shape is None else shape)],
        )

    function.__name__ = function.__qualname__ = "custom_op"
    function.__doc__ = forward.__doc__
    return operation(function)
