# SPDX-License-Identifier: Apache-2.0
"""Symbolic tensors and the nodes between them: what the functional API records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pronghorn.calls import Arguments
from pronghorn.operators import Operators
from pronghorn.utils.naming import auto_name

if TYPE_CHECKING:
    from pronghorn.layers.layer import Layer

Shape = tuple[int | None, ...]


class KerasTensor(Operators):
    """A tensor of which only shape and origin are known.

    Attributes:
        shape: Shape with the batch in front; None where it is open.
        dtype: Name of the type.
        name: Name.
        node: The call of a layer that made it.
        index: Which of that call's outputs it is.
    """

    def __init__(self, shape: Shape, dtype: str, node: Node, index: int) -> None:
        self.shape = shape
        self.dtype = dtype
        self.node = node
        self.index = index
        self.name = node.layer.name if node.is_input else auto_name("keras_tensor")

    @property
    def ndim(self) -> int:
        """Number of axes, the batch included."""
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} has no values yet, so it is neither true nor false")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{self!r} has no values yet, it cannot become an array")


class Node:
    """One call of a layer: which tensors went in and which came out.

    Args:
        layer: The layer.
        inputs: Its inputs, none for an `InputLayer`.
        shapes: Shapes of the outputs.
        dtype: Type of the outputs.
        training: False if the call fixed inference mode, else None.
        call: All arguments of the call, for a layer that takes more than tensors.
    """

    def __init__(
        self,
        layer: Layer,
        inputs: Sequence[KerasTensor],
        shapes: Iterable[Shape],
        dtype: str = "float32",
        training: bool | None = None,
        call: Arguments | None = None,
    ) -> None:
        self.layer = layer
        self.call = call
        self.inputs = tuple(inputs)
        self.training = training
        self.outputs = tuple(
            KerasTensor(shape, dtype, self, index) for index, shape in enumerate(shapes)
        )

    @property
    def is_input(self) -> bool:
        """Whether this is an input of a model rather than a call."""
        return not self.inputs
