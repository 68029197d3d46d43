# SPDX-License-Identifier: Apache-2.0
"""gradients: how a value depends on a model's inputs, inner activations or weights.

For saliency maps, class activation maps and the visualisation of features. The gradient
by an activation is that by zeros that are added to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronghorn import ops, tracing
from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder, choices, named
from pronghorn.layers.symbolic import KerasTensor
from pronghorn.models.model import Model
from pronghorn.variable import Variable

Array = NDArray[np.float32]
Loss = Callable[..., Any] | int | None


def gradients(model: Model, x: Any, wrt: Any = None, loss: Loss = None) -> Any:
    """The gradient of a value with respect to inputs, activations or weights.

    The model is in inference mode. Values of several images are added up; as images
    are computed each for itself, a gradient by an input holds one gradient per image.

    Args:
        model: A built model.
        x: Inputs, as for `predict`.
        wrt: What the gradient is by: None for the inputs, a symbolic tensor (such as
            `model.get_layer("conv2d").output`), a layer (its output), a variable, or a
            list of such.
        loss: The value: an integer for that element of the output's last axis (the
            score of a class), a function in `pronghorn.ops` of the outputs, or None for
            the sum of all outputs.

    Returns:
        An array of the shape of what the gradient is by, or a list of arrays.

    Example:
        >>> image = Input((2,))
        >>> model = Model(image, Dense(3, kernel_initializer="ones")(image))
        >>> gradients(model, np.zeros((1, 2)), loss=1)
        array([[1., 1.]], dtype=float32)
    """
    feeds = [feed.astype(np.float32) for feed in model.checked_inputs(x)]
    if wrt is None:
        targets: list[Any] = list(range(len(feeds)))
        single = len(feeds) == 1
    else:
        single = not isinstance(wrt, list | tuple)
        targets = [_target(model, one) for one in ([wrt] if single else wrt)]
    shapes = tuple(feed.shape for feed in feeds)
    key = (
        "gradients",
        loss,
        tuple(map(_key, targets)),
        shapes,
        *choices().values(),
    )
    made = model.plans.get(key, lambda: _Plan(model, feeds, targets, loss))
    found = made.run(feeds)
    results = [found[_key(one)] for one in targets]
    return results[0] if single else results


def _target(model: Model, one: Any) -> int | KerasTensor | Variable:
    """Input number, inner tensor or variable."""
    if isinstance(one, Variable):
        if not any(one is weight for weight in model.weights):
            raise ValueError(f"gradients: {one!r} is no weight of {model.label}")
        return one
    tensor = one.output if isinstance(one, Layer) else one
    if not isinstance(tensor, KerasTensor):
        raise ValueError(
            "gradients: expected `wrt` to be symbolic tensors, layers or variables, "
            f"got {one!r}"
        )
    for number, known in enumerate(model.inputs):
        if known is tensor:
            return number
    return tensor


def _key(target: Any) -> int:
    """Inputs by their numbers, all else by identity."""
    return target if isinstance(target, int) else id(target)


class _Plan:
    """A plan of the gradients of a value."""

    def __init__(
        self, model: Model, feeds: Sequence[Array], targets: Sequence[Any], loss: Loss
    ) -> None:
        self._wanted = {_key(target) for target in targets}
        self._keys: list[int] = []  # of the gradients, in the order of the core
        self._zeros: list[Array] = []  # what is added to activations
        graph = GraphBuilder(len(feeds[0]), True, self._wanted)
        graph.training = False  # layers do what they do in inference
        inputs = [self._input(graph, feed.shape[1:], i) for i, feed in enumerate(feeds)]
        with named(model):
            outputs = self._outputs(model, graph, inputs)
        value = tracing.record(graph, _value(loss), outputs)
        used = [key for key in graph.variables() if key in self._wanted]
        for target in targets:
            if _key(target) not in [*self._keys, *used]:
                raise ValueError(
                    f"gradients: expected {target!r} to be a part of {model.label}"
                )
        self._keys += used
        self._plan = graph.compile(losses=[(value, -1, "sum", 1.0)])

    def _input(self, graph: GraphBuilder, shape: Sequence[int], key: int) -> int:
        wanted = key in self._wanted
        if wanted:
            self._keys.append(key)
        return graph.core.input(tuple(shape), "float32", wanted)

    def _outputs(
        self, model: Model, graph: GraphBuilder, inputs: Sequence[int]
    ) -> list[int]:
        def watched(tensor: KerasTensor, number: int) -> int:
            if id(tensor) not in self._wanted:
                return number
            shape = graph.shape(number)
            self._zeros.append(np.zeros(shape, np.float32))
            zeros = self._input(graph, shape[1:], id(tensor))
            return graph.add("binary", [number, zeros], kind="add")

        if model.is_traced():
            return graph.lower(model, inputs)
        return model.network.lower(graph, inputs, watched)

    def run(self, feeds: Sequence[Array]) -> dict[int, Array]:
        """The gradients, by target."""
        order = np.arange(len(feeds[0]))
        found = self._plan.gradients([*feeds, *self._zeros], order)
        return dict(zip(self._keys, found, strict=True))


def _value(loss: Loss) -> Callable[..., Any]:
    """The loss as a function of the outputs with one value per image."""

    def value(*outputs: tracing.Tensor) -> Any:
        if callable(loss):
            result = loss(*outputs)
        elif loss is None:
            parts = [_summed(output) for output in outputs]
            result = parts[0]
            for part in parts[1:]:
                result = result + part
        else:
            result = outputs[0][..., loss]
        return _summed(result)

    return value


def _summed(tensor: Any) -> Any:
    """One number per image."""
    if not isinstance(tensor, tracing.Tensor) or tensor.ndim == 1:
        return tensor
    return ops.sum(tensor, axis=tuple(range(1, tensor.ndim)))
