# SPDX-License-Identifier: Apache-2.0
"""Sequential: a stack of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pronghorn.layers import serialization
from pronghorn.layers.core import InputLayer
from pronghorn.layers.layer import Layer
from pronghorn.layers.symbolic import KerasTensor, Shape
from pronghorn.models.model import Model
from pronghorn.models.network import Network
from pronghorn.training import data


class Sequential(Model):
    """A stack of layers, each fed with the output of the one before.

    The shape of the input comes from an `Input`, from `input_shape=` of the first
    layer, or from the data of the first call.

    Args:
        layers: Layers to add.
        trainable: Whether training changes the weights.
        name: Name.

    Example:
        >>> model = Sequential([Input((4,)), Dense(3, activation="relu"), Dense(1)])
        >>> model.count_params()
        19
    """

    def __init__(
        self,
        layers: Sequence[Layer | KerasTensor] | None = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(trainable=trainable, name=name)
        self._layers: list[Layer] = []
        self._input_layer: InputLayer | None = None
        for layer in layers or ():
            self._append(layer)
        self._rebuild()

    def add(self, layer: Layer | KerasTensor) -> None:
        """Adds a layer on top; builds it if the shape of the input is known."""
        state = dict(self.__dict__)
        self._layers = list(self._layers)
        try:
            self._append(layer)
            self._rebuild()
        except BaseException:
            self.__dict__ = state
            raise

    def pop(self) -> Layer:
        """Removes the last layer and returns it."""
        if not self._layers:
            raise ValueError(f"{self.label}: expected layers to pop, there are none")
        layer = self._layers.pop()
        self._rebuild()
        return layer

    def _with_layers(self, inputs: Any, outputs: Any, layers: list[Layer]) -> Model:
        del outputs
        return Sequential([*inputs, *layers], name=self.name)

    def _append(self, layer: Layer | KerasTensor) -> None:
        if isinstance(layer, KerasTensor) and layer.node.is_input:
            layer = layer.node.layer
        if not isinstance(layer, Layer):
            raise ValueError(
                f"{self.label}: expected a layer, got {layer!r} of type "
                f"{type(layer).__name__}"
            )
        if isinstance(layer, InputLayer):
            if self._layers or self._input_layer is not None:
                raise ValueError(
                    f"{self.label}: expected the input to come first, and once, got "
                    f"'{layer.name}' after other layers"
                )
            self._input_layer = layer
            return
        if any(layer.name == other.name for other in self._layers):
            raise ValueError(
                f"{self.label}: expected layers to have different names, got "
                f"'{layer.name}' twice"
            )
        if not self._layers and self._input_layer is None:
            shape = layer.batch_input_shape
            if shape is None and isinstance(layer, Model) and layer.built:
                shape = layer.input_shape
            if shape is not None:
                self._input_layer = InputLayer(batch_shape=shape)
        self._layers.append(layer)

    def _rebuild(self) -> None:
        """Connects the layers again if the shape of the input is known."""
        self.built = False
        self._network = None
        self.plans.clear()
        if self._input_layer is not None and self._layers:
            self._connect(self._input_layer)

    def build(self, input_shape: Shape | None = None) -> None:
        """Makes the weights of all layers.

        Args:
            input_shape: Shape of the input with the batch, such as (None, 28, 28, 1).
        """
        if not self._layers:
            raise ValueError(f"{self.label}: expected layers, there are none to build")
        if self._input_layer is None:
            if input_shape is None:
                raise ValueError(f"{self.label}: expected an input shape to build with")
            self._connect(InputLayer(batch_shape=input_shape))
        elif input_shape is not None:
            self._check_shapes([tuple(input_shape)])

    def _connect(self, input_layer: InputLayer) -> None:
        """Calls the layers one after the other; takes all back if one refuses."""
        states = [
            (layer, dict(layer.__dict__), list(layer.nodes)) for layer in self._layers
        ]
        try:
            tensor = input_layer.input
            for layer in self._layers:
                tensor = layer(tensor)
                if not isinstance(tensor, KerasTensor):
                    raise ValueError(
                        f"{self.label}: expected layers with one output, "
                        f"'{layer.name}' has {len(tensor)}"
                    )
            self._network = Network([input_layer.input], [tensor])
        except BaseException:
            for layer, state, nodes in states:
                layer.__dict__ = state
                layer.nodes[:] = nodes
            raise
        self._input_layer = input_layer
        self.built = True

    def _build_from(self, x: Any) -> None:
        if not self.built:
            array = data.as_feed(
                data.per_name(x, ["input"], "x")[0], f"{self.label}: x"
            )
            self.build((None, *array.shape[1:]))

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input."""
        return list(self._layers)

    def get_config(self) -> dict[str, Any]:
        """The layers, in Keras's layout."""
        first = [] if self._input_layer is None else [self._input_layer]
        config = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": self.dtype,
            "layers": [serialization.serialize(one) for one in [*first, *self._layers]],
        }
        if self._input_layer is not None:
            config["build_input_shape"] = list(self._input_layer.batch_shape)
        return config

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: serialization.Classes | None = None
    ) -> Sequential:
        """A model with new weights from the dict of `get_config`."""
        layers = [
            serialization.deserialize(one, custom_objects) for one in config["layers"]
        ]
        model = cls(layers, name=config.get("name"))
        if not config.get("trainable", True):
            model.trainable = False
        return model
