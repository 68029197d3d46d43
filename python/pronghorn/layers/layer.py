# SPDX-License-Identifier: Apache-2.0
"""Layer: a description of a computation and the owner of its weights.

A layer has Keras's arguments, makes its weights in `build` and records its ops in
`lower`. Shapes are inferred by the core from those ops, so they are not written twice.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pronghorn import calls, constraints, initializers, registry, regularizers, tracing
from pronghorn.calls import Arguments
from pronghorn.constraints import ConstraintLike
from pronghorn.layers import configs, tracking
from pronghorn.layers import shapes as shape_rules
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.symbolic import KerasTensor, Node, Shape
from pronghorn.regularizers import RegularizerLike
from pronghorn.totals import Penalties
from pronghorn.training import data, plans
from pronghorn.utils.naming import auto_name
from pronghorn.variable import Variable

Self = TypeVar("Self", bound="Layer")


class Layer(Penalties):
    """Base class of layers and models.

    A layer of one's own has `__init__`, perhaps `build`, and `call` in terms of
    `pronghorn.ops` and of other layers, which it keeps in attributes.

    Args:
        trainable: Whether training changes the weights.
        dtype: None or "float32".
        name: Name; by default the class's in snake case, numbered.
        input_shape: Shape of the input without the batch, for the first layer of a
            `Sequential`.
        batch_input_shape: The same with the batch in front.
        activity_regularizer: Term of the loss that depends on the output, per sample.
        autocast: Without effect, there is one dtype.

    Example:
        >>> class Scale(Layer):
        ...     def build(self, input_shape):
        ...         self.factor = self.add_weight((input_shape[-1],), "ones")
        ...
        ...     def call(self, inputs):
        ...         return self.factor * inputs
        >>> Scale()([[1.0, 2.0]])
        array([[1., 2.]], dtype=float32)
    """

    # Attributes that are no parts of the layer, whatever they hold.
    _untracked = frozenset({"nodes", "plans", "_own_weights", "_parts", "_frozen"})

    def __init__(
        self,
        *,
        activity_regularizer: RegularizerLike = None,
        trainable: bool = True,
        dtype: str | None = None,
        autocast: bool = True,
        name: str | None = None,
        input_shape: Sequence[int | None] | None = None,
        batch_input_shape: Sequence[int | None] | None = None,
        **kwargs: Any,
    ) -> None:
        kind = type(self).__name__
        if kwargs:
            raise ValueError(
                f"Unrecognized keyword arguments passed to {kind}: {kwargs}"
            )
        if name is not None and (not isinstance(name, str) or "/" in name or not name):
            raise ValueError(
                f"{kind}: expected `name` to be a string without '/', got {name!r}"
            )
        if dtype not in (None, "float32"):
            raise ValueError(f"{kind}: expected dtype float32, got {dtype!r}")
        self.name = name or auto_name(kind)
        self.autocast = autocast
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.built = type(self).build is Layer.build  # nothing to build
        self.nodes: list[Node] = []
        self.batch_input_shape: Shape | None = None
        if batch_input_shape is not None:
            self.batch_input_shape = shape_rules.checked(kind, batch_input_shape)
        elif input_shape is not None:
            self.batch_input_shape = shape_rules.checked(kind, (None, *input_shape))
        self._trainable = bool(trainable)
        self._own_weights: list[Variable] = []
        self._parts: list[Layer] = []
        self.plans = plans.PlanCache()

    # What subclasses write.

    def build(self, input_shape: Any) -> None:  # noqa: ARG002
        """Makes the weights, given the shape of the input (or a list of shapes)."""
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the outputs of tensors, in terms of `pronghorn.ops`.

        It runs while a graph is recorded. If it has an argument `training`, it gets
        whether the graph trains.
        """
        if type(self).lower is Layer.lower:
            raise NotImplementedError(f"{self.label} has neither `call` nor `lower`")
        found = Arguments(args, kwargs, lambda one: isinstance(one, tracing.Tensor))
        graph = tracing.graph_of(found.tensors)
        if graph is None:
            raise ValueError(f"{self.label}: call() is for tensors being recorded")
        outputs = self.lower(graph, *(tensor.number for tensor in found.tensors))
        numbers = outputs if isinstance(outputs, list) else [outputs]
        return self._pack([tracing.Tensor(graph, number) for number in numbers])

    def lower(self, graph: GraphBuilder, *tensors: int) -> int | list[int]:
        """Records the layer's ops on `tensors`; returns its output or outputs."""
        return tracing.record_call(self, graph, tensors, calls.plain(tensors))

    @classmethod
    @functools.cache
    def is_traced(cls) -> bool:
        """Whether `call` says what the layer computes, not `lower`."""
        for base in cls.__mro__:
            if "lower" in base.__dict__ or "call" in base.__dict__:
                return "lower" not in base.__dict__
        return False

    def add_weight(
        self,
        shape: Sequence[int] = (),
        initializer: initializers.InitializerLike = "glorot_uniform",
        trainable: bool = True,
        name: str = "variable",
        regularizer: RegularizerLike = None,
        constraint: ConstraintLike = None,
    ) -> Variable:
        """Makes a weight; call it in `build`."""
        make = initializers.get(initializer)
        path = f"{self.name}/{name}"
        trains = trainable and self._trainable
        variable = Variable(
            make,
            shape,
            trainable=trains,
            name=name,
            path=path,
            regularizer=regularizers.get(regularizer),
            constraint=constraints.get(constraint),
        )
        self._own_weights = [*self._own_weights, variable]
        if not trainable:
            self._frozen = [*self._frozen, id(variable)]
        return variable

    _frozen: Sequence[int] = ()  # weights that never train

    # Calls.

    def __call__(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """Applies the layer to symbolic tensors or to arrays.

        Args:
            *args: A tensor or array, or a list of them; a layer written with `call` may
                take several.
            training: For arrays: True to drop in dropout. For symbolic tensors: False
                to fix inference mode, as frozen parts of a model need it.
            **kwargs: The arguments of `call`.

        Returns:
            Symbolic tensors, or arrays.
        """
        if kwargs.get("mask", 0) is None:
            del kwargs["mask"]
        self._check_arguments(args, kwargs)
        if len(args) == 1 and isinstance(args[0], np.ndarray) and not kwargs:
            return self._call_arrays(args, kwargs, bool(training))
        call = Arguments(args, kwargs, lambda one: isinstance(one, tracing.Tensor))
        if call.tensors:
            return self._call_traced(call, training)
        call = Arguments(args, kwargs, lambda one: isinstance(one, KerasTensor))
        if call.tensors:
            return self._call_symbolic(call, training)
        return self._call_arrays(args, kwargs, bool(training))

    def _check_arguments(self, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        if self.is_traced():
            inspect.signature(self.call).bind(*args, **kwargs)
        elif len(args) != 1 or kwargs:
            raise TypeError(
                f"{self.label}: expected one argument, a tensor or a list of them, got "
                f"{len(args)} and {list(kwargs)}"
            )

    def _call_traced(self, call: Arguments, training: bool | None) -> Any:
        graph = tracing.graph_of(call.tensors)
        if graph is None:
            raise ValueError(f"{self.label}: expected tensors being recorded")
        if training and not graph.training:
            raise ValueError(
                f"{self.label}: training=True inside of a model in inference mode"
            )
        self.ensure_built([(None, *one.shape[1:]) for one in call.tensors], call)
        inputs = [one.number for one in call.tensors]
        outputs = graph.lower(self, inputs, training, call)
        return self._pack([tracing.Tensor(graph, number) for number in outputs])

    def _call_symbolic(self, call: Arguments, training: bool | None) -> Any:
        if not self.is_traced() and not all(
            isinstance(one, calls.Slot) for one in calls.leaves(call.args)
        ):
            raise ValueError(
                f"{self.label}: expected symbolic tensors or arrays, got a mixture"
            )
        if training:
            raise ValueError(
                f"{self.label}: training=True cannot be fixed in a model; pass it when "
                "calling the model"
            )
        shapes = [tensor.shape for tensor in call.tensors]
        with tracking.unchanged(self):
            self.ensure_built(shapes, call)
            outputs = self._infer(shapes, call)
        node = Node(self, call.tensors, outputs, training=training, call=call)
        self.nodes.append(node)
        return self._pack(list(node.outputs))

    def _call_arrays(
        self, args: Sequence[Any], kwargs: dict[str, Any], training: bool
    ) -> Any:
        call, feeds = self._feeds(args, kwargs)
        shapes: list[Shape] = [(None, *feed.shape[1:]) for feed in feeds]
        with tracking.unchanged(self):
            self.ensure_built(shapes, call)
            outputs = plans.forward(self, feeds, training, call)
        return self._pack(outputs)

    def _feeds(
        self, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[Arguments, list[NDArray[Any]]]:
        """The arguments of a call, and its arrays as the core takes them."""
        call = Arguments(args, kwargs, lambda one: isinstance(one, np.ndarray))
        if not call.tensors:  # lists of numbers
            if not args:
                raise ValueError(f"{self.label}: expected an input, got none")
            call.tensors, call.args = [args[0]], (calls.Slot(0), *args[1:])
        feeds = [data.as_feed(array, f"{self.label}: input") for array in call.tensors]
        if len({len(feed) for feed in feeds}) != 1:
            sizes = ", ".join(str(len(feed)) for feed in feeds)
            raise ValueError(
                f"{self.label}: expected inputs with equally many samples, got {sizes}"
            )
        return call, feeds

    def _pack(self, outputs: list[Any]) -> Any:
        """One output, or a list of several."""
        return outputs[0] if len(outputs) == 1 else outputs

    def ensure_built(
        self, shapes: Sequence[Shape], call: Arguments | None = None
    ) -> None:
        """Builds the layer unless it is built, for inputs of these shapes."""
        if self.built:
            return
        names = list(inspect.signature(self.build).parameters)
        found = call or calls.plain(shapes)
        args, kwargs = found.fill(shapes)
        if len(names) > 1 and self.is_traced():
            bound = inspect.signature(self.call).bind(*args, **kwargs).arguments
            given = {f"{name}_shape": shape for name, shape in bound.items()}
            self.build(**{name: given[name] for name in names if name in given})
        else:
            self.build([*args, *kwargs.values()][0])
        self.built = True

    # Shapes.

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output for an input of that shape, with the batch.

        Args:
            input_shape: A shape, or a list of shapes for several inputs; None where a
                size is open.
        """
        several = isinstance(input_shape, list) and not all(
            size is None or isinstance(size, int) for size in input_shape
        )
        shapes = [
            shape_rules.checked(self.label, shape)
            for shape in (input_shape if several else [input_shape])
        ]
        with tracking.unchanged(self, on_error_only=False):
            self.ensure_built(shapes)
            return self._pack(self._infer(shapes))

    def _infer(
        self, shapes: Sequence[Shape], call: Arguments | None = None
    ) -> list[Shape]:
        return shape_rules.infer(self, shapes, call)

    @property
    def input(self) -> Any:
        """The symbolic input of the layer's only call (or a list of them)."""
        inputs = self._only_node("input").inputs
        return inputs[0] if len(inputs) == 1 else list(inputs)

    @property
    def output(self) -> Any:
        """The symbolic output of the layer's only call (or a list of them)."""
        outputs = self._only_node("output").outputs
        return outputs[0] if len(outputs) == 1 else list(outputs)

    @property
    def input_shape(self) -> Any:
        """The shape of `input`."""
        return shape_rules.of(self.input)

    @property
    def output_shape(self) -> Any:
        """The shape of `output`."""
        return shape_rules.of(self.output)

    def _only_node(self, what: str) -> Node:
        if not self.nodes:
            raise AttributeError(
                f"{self.label} has never been called and thus has no defined {what}"
            )
        distinct = {tuple(t.shape for t in getattr(n, f"{what}s")) for n in self.nodes}
        if len(self.nodes) > 1 and len(distinct) > 1:
            raise AttributeError(
                f"{self.label} has {len(self.nodes)} calls with different shapes, so "
                f"its {what} is not defined"
            )
        return self.nodes[0]

    # Weights.

    def sublayers(self) -> Sequence[Layer]:
        """Layers inside this one: those that its attributes hold."""
        return self._parts

    def parts(self) -> Sequence[Layer]:
        """The same, also where a model is not built yet."""
        return self._parts

    def attributes(self) -> list[tuple[str, Any]]:
        """Attributes with layers in them, in the order of Keras's files."""
        names = sorted(self.__dict__, key=lambda name: (name.startswith("_"), name))
        values = [(name, self.__dict__[name]) for name in names]
        return [
            (name, value)
            for name, value in values
            if name not in self._untracked
            and (isinstance(value, Layer) or tracking.has_layers(value))
        ]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._untracked or name == "__dict__":
            super().__setattr__(name, value)
        else:
            super().__setattr__(name, tracking.tracked(value, self._track))

    def _track(self, part: Layer | Variable) -> Any:
        """Makes a layer or variable a part of this layer."""
        if "_parts" not in self.__dict__:
            raise RuntimeError(
                f"{type(self).__name__}: call super().__init__() before assigning "
                "layers or variables to attributes"
            )
        if isinstance(part, Variable):
            if not any(part is one for one in self._own_weights):
                self._own_weights = [*self._own_weights, part]
                if not part.trainable:
                    self._frozen = [*self._frozen, id(part)]
        elif not any(part is one for one in self._parts):
            self._parts = [*self._parts, part]
        return part

    @property
    def weights(self) -> list[Variable]:
        """All weights, in Keras's order: a layer's trainable ones, then the others."""
        frozen = self._frozen
        own = [w for w in self._own_weights if id(w) not in frozen]
        own += [w for w in self._own_weights if id(w) in frozen]
        return _unique(own + [w for s in self.sublayers() for w in s.weights])

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training changes."""
        if not self._trainable:
            return []
        own = [w for w in self._own_weights if w.trainable]
        return _unique(own + [w for s in self.sublayers() for w in s.trainable_weights])

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that training does not change."""
        trainable = {id(weight) for weight in self.trainable_weights}
        return [weight for weight in self.weights if id(weight) not in trainable]

    @property
    def variables(self) -> list[Variable]:
        """Same as `weights`."""
        return self.weights

    @property
    def trainable_variables(self) -> list[Variable]:
        """Same as `trainable_weights`."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """Same as `non_trainable_weights`."""
        return self.non_trainable_weights

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; setting it sets all inner layers."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for weight in self._own_weights:
            weight.trainable = self._trainable and id(weight) not in self._frozen
        for layer in self.sublayers():
            layer.trainable = self._trainable

    def get_weights(self) -> list[NDArray[np.float32]]:
        """Copies of the weights' values."""
        return [weight.numpy() for weight in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets all weights, in the order of `get_weights`, or none if one is wrong."""
        own = self.weights
        if len(weights) != len(own):
            raise ValueError(
                f"{self.label}: expected {len(own)} weights, got {len(weights)}"
            )
        arrays = [w.checked(value) for w, value in zip(own, weights, strict=True)]
        for weight, array in zip(own, arrays, strict=True):
            weight.assign(array)

    def count_params(self) -> int:
        """Number of values in all weights."""
        if not self.built:
            raise ValueError(
                f"{self.label} has no weights to count yet: it has not been built"
            )
        return sum(weight.value.size for weight in self.weights)

    # Description.

    @property
    def label(self) -> str:
        """How errors name the layer: Layer 'conv2d_1' (Conv2D)."""
        return f"Layer '{self.name}' ({type(self).__name__})"

    @property
    def dtype(self) -> str:
        """Always "float32"."""
        return "float32"

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer, without its weights."""
        base = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype}
        # Layer's own arguments say how it was built, not what it is.
        own = type(self).__init__ is not Layer.__init__
        config = registry.get_config(self) if own else {}
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = self.activity_regularizer
        return base | {key: configs.plain(value) for key, value in config.items()}

    @classmethod
    def from_config(cls: type[Self], config: dict[str, Any]) -> Self:
        """A layer from the dict of `get_config`."""
        return registry.from_config(cls, config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _unique(variables: list[Variable]) -> list[Variable]:
    """Without repetitions: a layer may be inside another one twice."""
    return list({id(variable): variable for variable in variables}.values())
