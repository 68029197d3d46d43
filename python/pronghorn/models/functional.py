# SPDX-License-Identifier: Apache-2.0
"""Functional: a model given by its symbolic inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pronghorn.layers.symbolic import KerasTensor
from pronghorn.models.model import Model
from pronghorn.models.network import Network


class Functional(Model):
    """What `Model(inputs, outputs)` gives: any graph of layer calls.

    Layers may be shared and models may be layers. See `Model` for the arguments.
    """

    def __init__(
        self,
        inputs: KerasTensor | Sequence[KerasTensor],
        outputs: KerasTensor | Sequence[KerasTensor],
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self._returns_list = isinstance(outputs, list | tuple)
        self._network = Network(
            _tensors("inputs", inputs), _tensors("outputs", outputs)
        )
        self.built = True

    @property
    def network(self) -> Network:
        """The graph."""
        return self._network

    def build(self, input_shape: Any = None) -> None:
        """Does nothing: the layers were built when they were called."""

    def get_config(self) -> dict[str, Any]:
        """Not supported yet."""
        raise ValueError(f"{self.label}: get_config is not supported")

    def _pack(self, outputs: list[Any]) -> Any:
        return outputs if self._returns_list else outputs[0]


def _tensors(argument: str, value: Any) -> list[KerasTensor]:
    tensors = list(value) if isinstance(value, list | tuple) else [value]
    for tensor in tensors:
        if not isinstance(tensor, KerasTensor):
            raise ValueError(
                f"Model: expected `{argument}` to be symbolic tensors (from Input and "
                f"layers), got {tensor!r} of type {type(tensor).__name__}"
            )
    if not tensors:
        raise ValueError(f"Model: expected `{argument}`, got none")
    return tensors
