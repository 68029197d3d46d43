# SPDX-License-Identifier: Apache-2.0
"""Model: layers that are trained together."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from pronghorn.layers import shapes as shape_rules
from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.symbolic import KerasTensor, Node, Shape
from pronghorn.models import summary
from pronghorn.models.network import Network
from pronghorn.training import data
from pronghorn.training.trainer import Trainer


class Model(Trainer):
    """A model: a graph of layers with inputs and outputs.

    Args:
        inputs: Symbolic tensor from `Input`, or a list of them.
        outputs: Symbolic tensor computed from them, or a list of them.
        name: Name.

    Example:
        >>> x = Input((4,))
        >>> y = Dense(2)(x)
        >>> model = Model(x, y)
        >>> model.predict(np.zeros((3, 4)), verbose=0).shape
        (3, 2)
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Model:  # noqa: ARG004
        """`Model(inputs, outputs)` is a `Functional`, as in Keras."""
        if cls is Model:
            from pronghorn.models.functional import Functional  # noqa: PLC0415

            return super().__new__(Functional)
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    # What the kinds of models differ in.

    @property
    def network(self) -> Network:
        """The graph of a built model."""
        raise NotImplementedError

    @property
    def layers(self) -> list[Layer]:
        """The layers."""
        return self.network.layers

    def sublayers(self) -> Sequence[Layer]:
        """Same as `layers`."""
        return self.layers

    # Inputs and outputs.

    @property
    def inputs(self) -> list[KerasTensor]:
        """Symbolic inputs."""
        return self.network.inputs

    @property
    def outputs(self) -> list[KerasTensor]:
        """Symbolic outputs."""
        return self.network.outputs

    @property
    def input(self) -> Any:
        """The symbolic input, or a list of them."""
        return self._pack(self.inputs)

    @property
    def output(self) -> Any:
        """The symbolic output, or a list of them."""
        return self._pack(self.outputs)

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs."""
        return [tensor.name for tensor in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """Names of the layers that the outputs come from."""
        return [tensor.node.layer.name for tensor in self.outputs]

    def lower(self, graph: GraphBuilder, *tensors: int) -> int | list[int]:
        """Records the ops of all layers."""
        return self.network.lower(graph, tensors)

    def _call_symbolic(
        self, tensors: Sequence[KerasTensor], training: bool | None
    ) -> Any:
        self._check_shapes([tensor.shape for tensor in tensors])
        return super()._call_symbolic(tensors, training)

    def _infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        self._check_shapes(shapes)
        return super()._infer(shapes)

    def _check_shapes(self, shapes: Sequence[Shape]) -> None:
        """Refuses shapes other than those the model was made for."""
        if not self.built:
            return
        expected = [tensor.shape for tensor in self.inputs]
        if len(shapes) != len(expected):
            raise ValueError(
                f"{self.label}: expected {len(expected)} inputs, got {len(shapes)}"
            )
        for name, shape, wanted in zip(self.input_names, shapes, expected, strict=True):
            if not shape_rules.fits(shape, wanted):
                raise ValueError(
                    f"{self.label}: expected input '{name}' to have shape {wanted}, "
                    f"got {shape}"
                )

    def checked_inputs(self, x: Any) -> list[data.Array]:
        """Users' inputs as the core takes them; builds the model if need be."""
        self._build_from(x)
        names = self.input_names
        arrays = [
            data.as_input(array, tensor.shape[1:], f"{self.label}: input '{name}'")
            for array, tensor, name in zip(
                data.per_name(x, names, f"{self.label}: x"),
                self.inputs,
                names,
                strict=True,
            )
        ]
        if len({len(array) for array in arrays}) > 1:
            sizes = ", ".join(str(len(array)) for array in arrays)
            raise ValueError(
                f"{self.label}: expected inputs with equally many samples, got {sizes}"
            )
        return arrays

    def _checked_arrays(self, inputs: Any) -> list[data.Array]:
        return self.checked_inputs(inputs)

    def _build_from(self, x: Any) -> None:
        """Builds a model that is not built yet."""

    def output_shapes_for(self, inputs: Sequence[data.Array]) -> list[Shape]:
        """The shapes of the outputs for these inputs."""
        shapes = [tensor.shape for tensor in self.outputs]
        if any(size is None for shape in shapes for size in shape[1:]):
            return self._infer([(None, *array.shape[1:]) for array in inputs])
        return shapes

    # Layers and weights.

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer, by its name or by its place in `layers`."""
        if (name is None) == (index is None):
            raise ValueError(
                f"get_layer: expected either a name or an index, got name={name!r}, "
                f"index={index!r}"
            )
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(
                    f"get_layer: expected an index < {len(self.layers)}, got {index}"
                )
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = ", ".join(layer.name for layer in self.layers)
        raise ValueError(f"get_layer: there is no layer {name!r} among {names}")

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Prints the table of the layers, as Keras does."""
        summary.print_summary(
            self,
            line_length,
            positions,
            print_fn,
            expand_nested,
            show_trainable,
            layer_range,
        )

    def save_weights(
        self, filepath: str | os.PathLike[str], overwrite: bool = True
    ) -> None:
        """Saves the weights to a file `*.weights.h5` that Keras loads too."""
        from pronghorn import saving  # noqa: PLC0415 saving knows models

        saving.save_weights(self, filepath, overwrite)

    def load_weights(
        self, filepath: str | os.PathLike[str], skip_mismatch: bool = False
    ) -> None:
        """Loads the weights of a file `*.weights.h5`, of Keras or of pronghorn."""
        from pronghorn import saving  # noqa: PLC0415 saving knows models

        saving.load_weights(self, filepath, skip_mismatch)

    @property
    def label(self) -> str:
        """How errors name the model: Model 'sequential' (Sequential)."""
        return f"Model '{self.name}' ({type(self).__name__})"

    def _only_node(self, what: str) -> Node:
        raise AttributeError(f"{self.label}: {what} is not a single call")
