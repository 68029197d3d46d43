# SPDX-License-Identifier: Apache-2.0
"""Lambda and TimeDistributed: a function, or a layer for every step, as a layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pronghorn import ops
from pronghorn.layers.core import Activation, Dense
from pronghorn.layers.layer import Layer
from pronghorn.layers.symbolic import Shape


class Lambda(Layer):
    """A function written in `pronghorn.ops` as a layer.

    Args:
        function: What to compute from the input (or the list of inputs).
        output_shape: Without effect: the shape follows from the function.
        mask: None; masks are not supported.
        arguments: Further arguments of the function, by name.

    Input shape:
        Any.

    Output shape:
        What the function makes of it.

    Example:
        >>> Lambda(lambda x: 2 * x)([[1.0, 2.0]])
        array([[2., 4.]], dtype=float32)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: None = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise TypeError(
                f"{self.label}: expected `function` to be callable, got {function!r}"
            )
        if mask is not None:
            raise ValueError(f"{self.label}: expected mask=None, got {mask!r}")
        self.function = function
        self.arguments = dict(arguments or {})
        self._output_shape = output_shape

    def call(self, inputs: Any) -> Any:
        """The function."""
        return self.function(inputs, **self.arguments)

    def get_config(self) -> dict[str, Any]:
        """Refused: a function cannot be written to a configuration."""
        raise ValueError(f"{self.label}: a function has no configuration")


class TimeDistributed(Layer):
    """A layer applied to every step of a sequence, with the same weights.

    Args:
        layer: The layer.

    Input shape:
        `(batch, steps, ...)`; the number of steps may be open (None).

    Output shape:
        `(batch, steps, ...)`, the layer's output for every step.

    Example:
        >>> TimeDistributed(Dense(3))(np.zeros((2, 5, 4))).shape
        (2, 5, 3)
    """

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(layer, Layer):
            raise ValueError(f"{self.label}: expected a layer, got {layer!r}")
        self.layer = layer

    def build(self, input_shape: Shape) -> None:
        """Builds the layer for one step."""
        if len(input_shape) < 3:
            raise ValueError(
                f"{self.label}: expected an input of shape (batch, steps, ...), got "
                f"{input_shape}"
            )
        self.layer.ensure_built([(input_shape[0], *input_shape[2:])])
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The layer on each step, joined."""
        if type(self.layer) in (Dense, Activation):  # they see the last axis only
            return self.layer(inputs)
        steps = ops.unstack(inputs, axis=1)
        return ops.stack(
            [self.layer(step, training=training) for step in steps], axis=1
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments, the layer as its configuration."""
        from pronghorn.layers import serialization  # noqa: PLC0415 it knows all layers

        return {**super().get_config(), "layer": serialization.serialize(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TimeDistributed:
        """A layer from the dict of `get_config`."""
        from pronghorn.layers import serialization  # noqa: PLC0415 it knows all layers

        rest = {key: value for key, value in config.items() if key != "layer"}
        return cls(serialization.deserialize(config["layer"]), **rest)
