# SPDX-License-Identifier: Apache-2.0
"""Optimizer: base class of optimizers.

The rule is the core's; the state is kept here, one group of buffers (slots) per
variable.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pronghorn import registry
from pronghorn._native import core as _core
from pronghorn.utils.naming import auto_name

if TYPE_CHECKING:
    from pronghorn.variable import Variable

Self = TypeVar("Self", bound="Optimizer")


class LearningRate(float):
    """A number with the methods that Keras's variable has."""

    _optimizer: Optimizer

    def numpy(self) -> np.float32:
        """The value."""
        value: np.float32 = np.float32(self)
        return value

    def assign(self, value: float) -> None:
        """Sets the optimizer's learning rate."""
        self._optimizer.learning_rate = value


class Optimizer:
    """Base class of optimizers.

    Args:
        learning_rate: How far a step goes; can be assigned between batches.
        name: Name.
        **kwargs: Keras's other options (weight_decay, clipnorm, clipvalue,
            global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps); only their defaults are
            supported.

    Attributes:
        iterations: Number of updates done.
    """

    kind = ""  # the core's name

    def __init__(
        self, learning_rate: float, name: str | None = None, **kwargs: Any
    ) -> None:
        kwargs.pop("ema_momentum", None)  # has no effect without use_ema
        for option, value in kwargs.items():
            if option not in _OPTIONS:
                raise ValueError(
                    f"{type(self).__name__}: unknown argument {option}={value!r}"
                )
            if value is not None and value is not False:
                raise ValueError(
                    f"{type(self).__name__}: `{option}` is not supported, expected None"
                    f", got {value!r}"
                )
        self.name = name or auto_name(type(self).__name__)
        self.learning_rate = learning_rate
        self.iterations = 0
        self.built = False
        self._slots: dict[int, tuple[Variable, list[_core.Buffer]]] = {}

    @property
    def learning_rate(self) -> LearningRate:
        """How far a step goes."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        owner = type(self).__name__
        rate = LearningRate(checked_number(owner, "learning_rate", value, math.inf))
        rate._optimizer = self
        self._learning_rate = rate

    def attributes(self) -> dict[str, float | bool]:
        """The attributes of the core's rule."""
        raise NotImplementedError(f"{type(self).__name__} has no `attributes`")

    def rule(self) -> _core.Optimizer:
        """The core's rule."""
        return _core.Optimizer(self.kind, self.attributes())

    def build(self, variables: Iterable[Variable]) -> None:
        """Makes the state of variables that have none yet."""
        count = self.rule().slots
        for variable in variables:
            if id(variable) not in self._slots:
                buffers = [_core.Buffer(variable.shape) for _ in range(count)]
                self._slots[id(variable)] = (variable, buffers)
        self.built = True

    def slots(self, variable: Variable) -> list[_core.Buffer]:
        """The state of a variable."""
        self.build([variable])
        return self._slots[id(variable)][1]

    def slot_arrays(self, variable: Variable) -> list[NDArray[np.float32]]:
        """The state of a variable, as writable views."""
        return [buffer.array for buffer in self.slots(variable)]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimizer, without its state."""
        config = registry.get_config(self)
        return config | {"name": self.name, "learning_rate": float(self.learning_rate)}

    @classmethod
    def from_config(cls: type[Self], config: dict[str, Any]) -> Self:
        """An optimizer from the dict of `get_config`."""
        return registry.from_config(cls, config)


_OPTIONS = (
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "use_ema",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
)


def checked_number(owner: str, name: str, value: Any, most: float) -> float:
    """A finite number from 0 to `most`."""
    try:
        number = math.nan if isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (0 <= number <= most and math.isfinite(number)):
        limits = "at least 0" if most == math.inf else f"from 0 to {most:g}"
        raise ValueError(
            f"{owner}: expected `{name}` to be a finite number {limits}, got {value!r}"
        )
    return number
