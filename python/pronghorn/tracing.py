# SPDX-License-Identifier: Apache-2.0
"""Recording: Python code written in `pronghorn.ops` becomes ops of a graph.

While a layer's `call` or a user's loss runs once, its arguments are `Tensor`s: numbers
of tensors in the graph. Each function of `ops` adds an op and returns another `Tensor`.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pronghorn.operators import Operators
from pronghorn.variable import Variable

if TYPE_CHECKING:
    from pronghorn.calls import Arguments
    from pronghorn.layers.layer import Layer
    from pronghorn.layers.lowering import GraphBuilder

_recorded: ContextVar[GraphBuilder | None] = ContextVar("graph", default=None)


class Tensor(Operators):
    """A tensor of a graph that is being recorded.

    Attributes:
        graph: The graph.
        number: Its number there.
        parameter: Whether it is a weight, a constant or computed from such alone; all
            others have the batch as first axis.
        shape: Its shape.
    """

    dtype = "float32"

    def __init__(
        self, graph: GraphBuilder, number: int, parameter: bool = False
    ) -> None:
        self.graph = graph
        self.number = number
        self.parameter = parameter
        self.shape = graph.shape(number)

    @property
    def ndim(self) -> int:
        """Number of axes, the batch included."""
        return len(self.shape)

    def __repr__(self) -> str:
        kind = "weights only" if self.parameter else f"batch of {self.shape[0]}"
        return f"<Tensor shape={self.shape}, {kind}>"

    def __bool__(self) -> bool:
        raise TypeError(
            f"{self!r} has no values while it is recorded, so it is neither true nor "
            "false; use ops.where"
        )

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            f"{self!r} has no values while it is recorded: use functions of "
            "pronghorn.ops instead of NumPy's, or ops.custom_op"
        )


@contextlib.contextmanager
def recording(graph: GraphBuilder) -> Iterator[None]:
    """Makes a graph the one that operations of weights alone are added to."""
    token = _recorded.set(graph)
    try:
        yield
    finally:
        _recorded.reset(token)


def graph_of(values: Iterable[Any]) -> GraphBuilder | None:
    """The graph that an operation on these values belongs to; None for arrays."""
    found: GraphBuilder | None = None
    for value in values:
        if isinstance(value, Tensor):
            if found is not None and found is not value.graph:
                raise ValueError(
                    f"{value!r} belongs to another graph: tensors cannot be kept from "
                    "one call for the next"
                )
            found = value.graph
        elif isinstance(value, Variable) and found is None:
            found = _recorded.get()
    return found


def as_tensor(graph: GraphBuilder, value: Any) -> Tensor:
    """A tensor of the graph: a variable or constant becomes a parameter."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Variable):
        return Tensor(graph, graph.parameter(value), parameter=True)
    return Tensor(graph, graph.constant(as_numbers(value)), parameter=True)


def as_numbers(value: Any) -> NDArray[np.float32]:
    """A number or array as float32; what is no number is refused."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"expected a tensor, an array or a number, got {value!r} of type "
            f"{type(value).__name__}"
        )
    return array.astype(np.float32)


def add(
    graph: GraphBuilder, op: str, inputs: Sequence[Any], **attributes: Any
) -> Tensor:
    """Adds an op of the core on tensors, variables and constants."""
    tensors = [as_tensor(graph, value) for value in inputs]
    number = graph.add(op, [tensor.number for tensor in tensors], **attributes)
    return Tensor(graph, number, all(tensor.parameter for tensor in tensors))


def is_symbol(x: Any) -> bool:
    """Whether `x` stands for a tensor of a model or of a graph being recorded."""
    if isinstance(x, Variable):
        return _recorded.get() is not None
    return isinstance(x, Operators)


def symbol_op(op: str, x: Any, **attributes: Any) -> Any:
    """An op of the core on what `is_symbol` accepts."""

    def function(tensor: Any) -> Tensor:
        graph = graph_of([tensor])
        if graph is None:
            raise ValueError(f"{op}: expected a tensor, got {tensor!r}")
        return add(graph, op, [tensor], **attributes)

    if isinstance(x, Tensor | Variable):
        return function(x)
    from pronghorn.layers.operation import apply  # noqa: PLC0415 it imports this

    # A configuration knows functions without arguments by their names.
    known = set(attributes) <= {"kind"} or attributes == {"axis": -1}
    function.__name__ = str(attributes.get("kind", op)) if known else "custom_op"
    return apply(function, (x,), {})


def record_call(
    layer: Layer, graph: GraphBuilder, tensors: Sequence[int], call: Arguments
) -> list[int]:
    """Records the `call` of a layer; returns its outputs."""
    args, kwargs = call.fill([Tensor(graph, number) for number in tensors])
    if "training" in inspect.signature(layer.call).parameters:
        kwargs.setdefault("training", graph.training)
    with recording(graph):
        result = layer.call(*args, **kwargs)
    outputs = list(result) if isinstance(result, list | tuple) else [result]
    for output in outputs:
        if not isinstance(output, Tensor) or output.parameter:
            raise ValueError(
                f"{layer.label}: expected `call` to return a tensor computed from its "
                f"input, or a list of such, got {output!r}"
            )
    return [output.number for output in outputs]


def run(
    function: Callable[[Tensor], Tensor], array: NDArray[Any]
) -> NDArray[np.float32]:
    """Runs a function written in `ops` on an array whose first axis is the batch."""
    from pronghorn.layers.lowering import GraphBuilder  # noqa: PLC0415 it imports this

    graph = GraphBuilder(len(array))
    output = record(graph, function, [graph.input(array.shape[1:])])
    result = np.empty(graph.shape(output), np.float32)
    plan = graph.compile(outputs=[output])
    plan.run([array], np.arange(len(array)), outputs=[result])
    return result


def record(
    graph: GraphBuilder,
    function: Callable[..., Any],
    tensors: Sequence[int],
    per_image: str = "",
    weights: int = -1,
) -> int:
    """Records a Python function written in `ops`; returns the tensor it returns.

    Args:
        graph: Where to record.
        function: Takes as many tensors as `tensors` has, returns one.
        tensors: Numbers of tensors with a batch.
        per_image: For losses, "mean" or "sum" over all axes but the batch.
        weights: Of what is averaged or summed; -1 if there are none.
    """
    with recording(graph):
        result = function(*(Tensor(graph, number) for number in tensors))
        name = getattr(function, "__name__", type(function).__name__)
        if not isinstance(result, Tensor) or result.parameter:
            raise ValueError(
                f"{name}: expected a tensor computed from the arguments, got {result!r}"
            )
        if weights >= 0:
            expected = tuple(graph.shape(weights))
            if result.shape != expected:
                raise ValueError(
                    f"{name}: expected one value for each weight of the samples, shape "
                    f"{expected}, got {result.shape}"
                )
            factors = Tensor(graph, weights)
            result = add(graph, "binary", [result, factors], kind="multiply")
        if per_image and result.ndim > 1:
            axes = list(range(1, result.ndim))
            result = add(graph, "reduce", [result], kind=per_image, axes=axes)
    return result.number
