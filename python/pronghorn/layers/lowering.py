# SPDX-License-Identifier: Apache-2.0
"""GraphBuilder: where layers record their ops. A thin cover of the core's Graph.

It knows which variables train and where their optimizer keeps its state, and whether
the graph trains.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from pronghorn._native import core as _core
from pronghorn.config import conv_algorithm, fusion
from pronghorn.tracing import record_call

if TYPE_CHECKING:
    from pronghorn.calls import Arguments
    from pronghorn.layers.layer import Layer
    from pronghorn.optimizers.optimizer import Optimizer
    from pronghorn.variable import Variable


@contextlib.contextmanager
def named(layer: Layer) -> Iterator[None]:
    """Puts a layer's name in front of complaints of the core."""
    try:
        yield
    except ValueError as error:
        message = str(error)
        if not message.startswith("["):  # an inner layer is named already
            raise
        raise ValueError(f"{layer.label}: {message}") from error


def choices() -> dict[str, Any]:
    """The settings that plans are made by, and a part of the key of those kept."""
    return {"conv_algorithm": conv_algorithm(), "fusion": fusion()}


class GraphBuilder:
    """Collects the ops of one graph.

    Args:
        batch: Number of images.
        training: Whether a backward pass follows, and dropout drops.
        trainable: Identities (`id`) of the variables that get a gradient.
        optimizer: Updates them; None leaves them as they are.
        penalized: Identities of the variables whose regularizers count in the loss;
            None means that there is no loss, nor are there penalties of outputs.
    """

    def __init__(
        self,
        batch: int,
        training: bool = False,
        trainable: Collection[int] = (),
        optimizer: Optimizer | None = None,
        penalized: Collection[int] | None = None,
    ) -> None:
        self.core = _core.Graph(batch, training)
        self.training = training
        self._trainable = trainable
        self._optimizer = optimizer
        self._penalized = penalized
        self.penalties: list[int] = []  # one value, or one per image
        self._parameters: dict[int, int] = {}
        self._constants: dict[tuple[tuple[int, ...], bytes], int] = {}
        self._label = ""

    def compile(self, **request: Any) -> _core.Plan:
        """The plan of what has been recorded, by the settings of this moment."""
        return self.core.compile(**request, **choices())

    def input(self, shape: Sequence[int], dtype: str = "float32") -> int:
        """An array of the caller; `shape` without the batch."""
        return self.core.input(tuple(shape), dtype)

    def parameter(self, variable: Variable) -> int:
        """The tensor of a variable; the same one for every use."""
        key = id(variable)
        if key not in self._parameters:
            trains = key in self._trainable
            slots = (
                self._optimizer.slots(variable) if self._optimizer and trains else ()
            )
            rules = variable.constraint.rules() if variable.constraint else {}
            if self._optimizer is not None and not self._optimizer.decays(variable):
                rules["decays"] = False
            penalized = self._penalized is not None and key in self._penalized
            regularizer = variable.regularizer if penalized else None
            if regularizer is not None:
                rules |= regularizer.rules()
            tensor = self.core.parameter(variable.buffer, trains, slots, rules)
            self._parameters[key] = tensor
            if regularizer is not None:
                penalty = regularizer.lower(self, tensor)
                self.penalties += [] if penalty is None else [penalty]
        return self._parameters[key]

    def add_penalty(self, tensor: int) -> None:
        """Adds a term of the loss, if there is one: one value, or one per image."""
        if self._penalized is not None:
            self.penalties.append(tensor)

    def variables(self) -> list[int]:
        """Identities of the variables used so far, in the order of first use."""
        return list(self._parameters)

    def constant(self, value: ArrayLike) -> int:
        """A tensor of fixed numbers, without a batch; the same one for equal values."""
        array = np.ascontiguousarray(value, np.float32).reshape(np.shape(value))
        key = (array.shape, array.tobytes())
        if key not in self._constants:
            buffer = _core.Buffer(array.shape)
            buffer.array[...] = array
            self._constants[key] = self.core.parameter(buffer)
        return self._constants[key]

    def add(self, op: str, inputs: Sequence[int], **attributes: Any) -> int:
        """Adds an op of the core; returns its output."""
        return self.core.add(op, list(inputs), attributes, self._label)

    def to_channels_last(self, tensor: int, data_format: str) -> int:
        """An image whose channels come last, from one in `data_format`."""
        if data_format == "channels_last":
            return tensor
        rank = len(self.shape(tensor))
        return self.add("transpose", [tensor], axes=[0, *range(2, rank), 1])

    def from_channels_last(self, tensor: int, data_format: str) -> int:
        """An image in `data_format`, from one whose channels come last."""
        if data_format == "channels_last":
            return tensor
        rank = len(self.shape(tensor))
        return self.add("transpose", [tensor], axes=[0, rank - 1, *range(1, rank - 1)])

    def shape(self, tensor: int) -> tuple[int, ...]:
        """The shape of a tensor, with the batch."""
        return tuple(self.core.shape(tensor))

    def lower(
        self,
        layer: Layer,
        tensors: Sequence[int],
        training: bool | None = None,
        call: Arguments | None = None,
    ) -> list[int]:
        """Adds a layer; returns its outputs.

        Args:
            layer: A built layer or model.
            tensors: Its inputs.
            training: False to add it as it is in inference.
            call: The arguments it was called with, where it takes more than tensors.
        """
        with self._mode(training), self._labelled(layer.name), named(layer):
            if call is not None and layer.is_traced():
                outputs: int | list[int] = record_call(layer, self, tensors, call)
            else:
                outputs = layer.lower(self, *tensors)
            several = outputs if isinstance(outputs, list) else [outputs]
            regularizer = layer.activity_regularizer
            if regularizer is not None and self._penalized is not None:
                for output in several:
                    self.add_penalty(regularizer.lower_activity(self, output))
        return several

    @contextlib.contextmanager
    def _labelled(self, label: str) -> Iterator[None]:
        before, self._label = self._label, label
        try:
            yield
        finally:
            self._label = before

    @contextlib.contextmanager
    def _mode(self, training: bool | None) -> Iterator[None]:
        before = self.training
        self.training = before if training is None else training
        try:
            yield
        finally:
            self.training = before
