# SPDX-License-Identifier: Apache-2.0
"""Model: layers that are trained together."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from pronghorn import calls, tracing
from pronghorn.calls import Arguments
from pronghorn.layers import shapes as shape_rules
from pronghorn.layers import tracking
from pronghorn.layers.core import InputLayer
from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.symbolic import KerasTensor, Node, Shape
from pronghorn.models import configuration, folding, summary
from pronghorn.models.network import Network
from pronghorn.training import data, plans
from pronghorn.training.trainer import Trainer


class Model(Trainer):
    """A model: a graph of layers with inputs and outputs, or a class of one's own.

    A subclass keeps its layers in attributes and has `call`, like a `Layer`. Its
    weights are made by `build` or by the first data.

    Args:
        inputs: Symbolic tensor from `Input`, or a list or dict of them.
        outputs: Symbolic tensor computed from them, or a list of them.
        name: Name.
        **kwargs: See `Layer`.

    Example:
        >>> x = Input((4,))
        >>> y = Dense(2)(x)
        >>> model = Model(x, y)
        >>> model.predict(np.zeros((3, 4)), verbose=0).shape
        (3, 2)
    """

    _untracked = Layer._untracked | {
        "optimizer",
        "history",
        "_compiled",
        "_network",
        "_input_layer",
        "_layers",
    }

    def __new__(cls, *args: Any, **kwargs: Any) -> Model:  # noqa: ARG004
        """`Model(inputs, outputs)` is a `Functional`, as in Keras."""
        if cls is Model:
            from pronghorn.models.functional import Functional  # noqa: PLC0415

            return super().__new__(Functional)
        return super().__new__(cls)

    def __init__(
        self,
        inputs: Any = None,
        outputs: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self._network: Network | None = None
        self._takes_list = isinstance(inputs, list | tuple)
        self._returns_list = isinstance(outputs, list | tuple)
        self._input_call: Arguments | None = None  # the form of inputs of a subclass
        self._output_shapes: list[Shape] = []
        self._input_shapes: list[Shape] = []
        self.built = False
        if inputs is not None or outputs is not None:
            self._network = Network(
                _tensors("inputs", inputs), _tensors("outputs", outputs)
            )
            self.built = True
            if "trainable" in kwargs:  # else layers that are frozen stay so
                self.trainable = self._trainable

    # What the kinds of models differ in.

    @property
    def network(self) -> Network:
        """The graph of a built model."""
        if self._network is None:
            raise AttributeError(
                f"{self.label} has no inputs and outputs"
                + ("" if self.is_traced() else " yet: it has not been built")
            )
        return self._network

    @property
    def layers(self) -> list[Layer]:
        """The layers."""
        return list(self._parts) if self._network is None else self._network.layers

    def sublayers(self) -> Sequence[Layer]:
        """Same as `layers`."""
        return self.layers

    def parts(self) -> Sequence[Layer]:
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
        return self.inputs if self._takes_list else super()._pack(self.inputs)

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
        if self.is_traced():
            return [f"output_{i + 1}" for i in range(len(self._output_shapes))]
        return [tensor.node.layer.name for tensor in self.outputs]

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights, for inputs of that shape (or a list or dict of shapes).

        Args:
            input_shape: Shape with the batch, such as (None, 28, 28, 1).
        """
        if self.is_traced() and input_shape is not None:
            self.built = True
            inputs = _inputs_of(input_shape)
            call = Arguments([inputs], {}, lambda one: isinstance(one, KerasTensor))
            shapes = [tensor.shape for tensor in call.tensors]
            with tracking.unchanged(self):
                self._output_shapes = self._infer(shapes, call)
                self._input_call, self._input_shapes = call, shapes

    def lower(self, graph: GraphBuilder, *tensors: int) -> int | list[int]:
        """Records the ops of all layers."""
        if self.is_traced():
            call = self._input_call or calls.plain(tensors)
            return tracing.record_call(self, graph, tensors, call)
        return self.network.lower(graph, tensors)

    def _call_symbolic(self, call: Arguments, training: bool | None) -> Any:
        if not self.is_traced():
            call = self._in_order(call)
            self._check_shapes([tensor.shape for tensor in call.tensors])
        return super()._call_symbolic(call, training)

    def _in_order(self, call: Arguments) -> Arguments:
        """Inputs given by name, as a list."""
        inputs = call.fill(call.tensors)[0][0]
        if not isinstance(inputs, dict):
            return call
        names = self.input_names
        return calls.plain(data.per_name(inputs, names, f"{self.label}: inputs"))

    def _infer(
        self, shapes: Sequence[Shape], call: Arguments | None = None
    ) -> list[Shape]:
        if not self.is_traced():
            self._check_shapes(shapes)
        return super()._infer(shapes, call)

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
        if self.is_traced():
            return self._checked_inputs_of_call(x)
        self._build_from(x)
        inputs = self.inputs
        if len(inputs) == 1 and data.is_ready(x, inputs[0].shape[1:]):
            return [x]
        names = self.input_names
        arrays = [
            data.as_input(array, tensor.shape[1:], f"{self.label}: input '{name}'")
            for array, tensor, name in zip(
                data.per_name(x, names, f"{self.label}: x"),
                inputs,
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

    def _checked_inputs_of_call(self, x: Any) -> list[data.Array]:
        call, feeds = super()._feeds([x], {})
        if self._input_call is None or self._input_call.key != call.key:
            self.plans.clear()
        shapes: list[Shape] = [(None, *feed.shape[1:]) for feed in feeds]
        with tracking.unchanged(self):
            self._input_call, self._input_shapes = call, shapes
            self.ensure_built(shapes, call)
            self._output_shapes = self.plans.get(
                ("shapes", tuple(shapes)), lambda: self._infer(shapes, call)
            )
        return feeds

    def _call_arrays(
        self, args: Sequence[Any], kwargs: dict[str, Any], training: bool
    ) -> Any:
        if self.is_traced():
            return super()._call_arrays(args, kwargs, training)
        return self._pack(plans.forward(self, self.checked_inputs(args[0]), training))

    def _build_from(self, x: Any) -> None:
        """Builds a model that is not built yet."""

    def output_shapes_for(self, inputs: Sequence[data.Array]) -> list[Shape]:
        """The shapes of the outputs for these inputs."""
        if self.is_traced():
            return self._output_shapes
        shapes = [tensor.shape for tensor in self.outputs]
        if any(size is None for shape in shapes for size in shape[1:]):
            return self._infer([(None, *array.shape[1:]) for array in inputs])
        return shapes

    def attributes(self) -> list[tuple[str, Any]]:
        """Attributes with layers in them, and `layers`, in the order of Keras's files.

        In a class of one's own `layers` comes among its attributes, by its name.
        """
        own: list[tuple[str, Any]] = [("layers", self.layers)]
        found = super().attributes()
        if not self.is_traced():
            return own + found
        return sorted(own + found, key=lambda one: (one[0].startswith("_"), one[0]))

    def known_inputs(self) -> list[Shape]:
        """The shapes of the inputs; none for a subclass that was not called yet."""
        if self.is_traced():
            return self._input_shapes
        return [tensor.shape for tensor in self.inputs]

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
        show_macs: bool = False,
        show_receptive_field: bool = False,
    ) -> None:
        """Prints the table of the layers, as Keras does.

        Args:
            line_length: Width of the table.
            positions: Right edges of the columns, as fractions of the line.
            print_fn: Receives the text instead of stdout.
            expand_nested: Whether to list the layers of nested models too.
            show_trainable: Whether to add the column `Trainable`.
            layer_range: Names of the first and last layer to list.
            show_macs: Whether to add the multiply-accumulates per image.
            show_receptive_field: Whether to add how many pixels of the input an
                element of the output sees.
        """
        summary.print_summary(
            self,
            line_length,
            positions,
            print_fn,
            expand_nested,
            show_trainable,
            layer_range,
            show_macs,
            show_receptive_field,
        )

    def fold_batch_norm(self) -> Model:
        """A copy for inference, without normalisations that other layers can do.

        A `BatchNormalization` right behind a convolution or a `Dense` layer without
        an activation, whose only reader it is, goes into the kernel and the bias of
        that layer. The answers are the same up to rounding; `predict` and `evaluate`
        fold by themselves.

        Returns:
            A model with weights of its own, not compiled.

        Example:
            >>> model = Sequential(
            ...     [Input((4,)), Dense(3, use_bias=False), BatchNormalization()]
            ... )
            >>> [type(layer).__name__ for layer in model.fold_batch_norm().layers]
            ['Dense']
        """
        if self._network is None:
            raise ValueError(
                f"{self.label}: expected a built model of layers between inputs and "
                "outputs"
            )
        inputs, outputs, layers = folding.fold(self, self._returns_list)
        return self._with_layers(inputs, outputs, layers)

    def _with_layers(self, inputs: Any, outputs: Any, layers: list[Layer]) -> Model:
        """A model of the same kind; `layers` are those between inputs and outputs."""
        del layers
        return Model(inputs, outputs, name=self.name)

    def to_json(self, **kwargs: Any) -> str:
        """The class and configuration as JSON; `kwargs` are those of `json.dumps`."""
        return configuration.to_json(self, **kwargs)

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

    def _pack(self, outputs: list[Any]) -> Any:
        return outputs if self._returns_list else super()._pack(outputs)


def _tensors(argument: str, value: Any) -> list[KerasTensor]:
    """Symbolic tensors from one, a list or a dict."""
    tensors = calls.leaves(value)
    for tensor in tensors:
        if not isinstance(tensor, KerasTensor):
            raise ValueError(
                f"Model: expected `{argument}` to be symbolic tensors (from Input and "
                f"layers), got {tensor!r} of type {type(tensor).__name__}"
            )
    if not tensors:
        raise ValueError(f"Model: expected `{argument}`, got none")
    return tensors


def _inputs_of(shape: Any) -> Any:
    """Symbolic inputs of a shape, or of lists and dicts of shapes."""
    if isinstance(shape, dict):
        return {key: _inputs_of(one) for key, one in shape.items()}
    if any(isinstance(one, list | tuple) for one in shape):
        return [_inputs_of(one) for one in shape]
    return InputLayer(batch_shape=shape).input
