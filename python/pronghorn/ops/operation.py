# SPDX-License-Identifier: Apache-2.0
"""What the functions of `pronghorn.ops` have in common.

A function is written once, for tensors of a graph being recorded. On symbolic tensors
its call becomes an operation of the model; on arrays NumPy or the core compute it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from pronghorn import eager, tracing
from pronghorn.layers.symbolic import KerasTensor
from pronghorn.tracing import Tensor

Function = TypeVar("Function", bound=Callable[..., Any])

FUNCTIONS: dict[str, Callable[..., Any]] = {}  # by name, for configurations


def operation(function: Function) -> Function:
    """Lets a function take symbolic tensors too."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not _any_symbolic((args, kwargs)):
            return function(*args, **kwargs)
        from pronghorn.layers.operation import apply  # noqa: PLC0415 layers use ops

        return apply(function, args, kwargs)

    FUNCTIONS[function.__name__] = call
    return cast("Function", call)


def _any_symbolic(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_any_symbolic(one) for one in value)
    if isinstance(value, dict):
        return any(_any_symbolic(one) for one in value.values())
    return isinstance(value, KerasTensor)


def traced(*values: Any) -> bool:
    """Whether an operation on these values is to be recorded."""
    return tracing.graph_of(values) is not None


def add(op: str, *inputs: Any, **attributes: Any) -> Tensor:
    """Adds an op of the core to the graph that the inputs belong to."""
    graph = tracing.graph_of(inputs)
    if graph is None:
        raise ValueError(f"{op}: expected a tensor, got {inputs!r}")
    return tracing.add(graph, op, inputs, **attributes)


def tensors(*values: Any) -> list[Tensor]:
    """Traced values as tensors: variables and constants become some."""
    graph = tracing.graph_of(values)
    if graph is None:
        raise ValueError(f"expected tensors, got {values!r}")
    return [tracing.as_tensor(graph, value) for value in values]


def tensor(value: Any) -> Tensor:
    """A traced value as a tensor."""
    return tensors(value)[0]


def array(value: Any, name: str) -> NDArray[np.float32]:
    """An argument outside of any recording: float32."""
    return eager.as_float(value, f"ops.{name}")


def rank_of(value: Any) -> int:
    """Number of axes, the batch included."""
    return len(value.shape) if hasattr(value, "shape") else np.ndim(value)


def axis_in(name: str, axis: Any, rank: int) -> int:
    """An axis counted from the front."""
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
        raise TypeError(f"ops.{name}: expected `axis` to be an integer, got {axis!r}")
    if not -rank <= axis < rank:
        raise ValueError(
            f"ops.{name}: expected `axis` from {-rank} to {rank - 1}, got {axis}"
        )
    return int(axis) % rank


def not_batch(name: str, x: Tensor, axis: int) -> int:
    """Refuses the batch axis."""
    if axis == 0 and not x.parameter:
        raise ValueError(
            f"ops.{name}: axis 0 is the batch, whose images are computed each for "
            f"itself; expected another axis of shape {x.shape}"
        )
    return axis
