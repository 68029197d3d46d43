# SPDX-License-Identifier: Apache-2.0
"""Optimizer: base class of optimizers.

The rule is the core's; the state is kept here, one group of buffers (slots) per
variable.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pronghorn import registry
from pronghorn._native import core as _core
from pronghorn.optimizers import schedules
from pronghorn.optimizers.schedules import LearningRateSchedule
from pronghorn.utils.naming import auto_name

if TYPE_CHECKING:
    from pronghorn.variable import Variable

LearningRateLike = float | LearningRateSchedule

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
        learning_rate: How far a step goes; can be assigned between batches. Or a
            schedule, see `optimizers.schedules`.
        name: Name.
        weight_decay: Every update takes this share, times the learning rate, off the
            weights; see `exclude_from_weight_decay`.
        clipnorm: Largest norm of a gradient; a longer one is scaled down to it.
        clipvalue: Largest magnitude of a gradient's elements; others are cut off.
        global_clipnorm: Largest norm of all gradients together.
        **kwargs: Keras's other options (use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps); only their defaults are
            supported.

    Attributes:
        iterations: Number of updates done.
    """

    kind = ""  # the core's name
    # Indices of slots; files hold, group by group, those of each variable.
    initial_slot = 0.0
    slot_groups: Sequence[Sequence[int]] = ((0, 1, 2),)

    def __init__(
        self,
        learning_rate: LearningRateLike,
        name: str | None = None,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        **kwargs: Any,
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
        owner = type(self).__name__
        limits = {
            "clipnorm": clipnorm,
            "clipvalue": clipvalue,
            "global_clipnorm": global_clipnorm,
        }
        given = {k: v for k, v in limits.items() if v is not None}
        if len(given) > 1:
            raise ValueError(
                f"{owner}: expected at most one of clipnorm, clipvalue and "
                f"global_clipnorm, got {given}"
            )
        for option, value in given.items():
            if checked_number(owner, option, value, math.inf) == 0:
                raise ValueError(f"{owner}: expected `{option}` above 0, got 0")
        if weight_decay is not None:
            checked_number(owner, "weight_decay", weight_decay, math.inf)
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self._undecayed: set[int] = set()
        self._undecayed_names: tuple[str, ...] = ()
        self.name = name or auto_name(owner)
        self.schedule: LearningRateSchedule | None = None
        self.learning_rate = learning_rate
        self.iterations = 0
        self.built = False
        self._slots: dict[int, tuple[Variable, list[_core.Buffer]]] = {}

    @property
    def learning_rate(self) -> LearningRate:
        """The learning rate of the next step."""
        if self.schedule is not None:
            rate = LearningRate(self.schedule(self.iterations))
            rate._optimizer = self
            return rate
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: LearningRateLike) -> None:
        if isinstance(value, LearningRateSchedule):
            self.schedule = value
            return
        self.schedule = None
        owner = type(self).__name__
        rate = LearningRate(checked_number(owner, "learning_rate", value, math.inf))
        rate._optimizer = self
        self._learning_rate = rate

    def learning_rates(self, steps: int) -> NDArray[np.float64]:
        """The learning rates of the next steps."""
        if self.schedule is None:
            return np.full(steps, self._learning_rate, np.float64)
        first = self.iterations
        return np.array([float(self.schedule(first + i)) for i in range(steps)])

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Variable] | None = None,
        var_names: Iterable[str] | None = None,
    ) -> None:
        """Chooses weights that do not decay; call it before training.

        Args:
            var_list: The weights.
            var_names: Parts of their names, such as "bias".
        """
        if self.built:
            raise ValueError(
                f"{type(self).__name__}: call exclude_from_weight_decay() before the "
                "optimizer is built"
            )
        self._undecayed = {id(variable) for variable in var_list or ()}
        self._undecayed_names = tuple(var_names or ())

    def decays(self, variable: Variable) -> bool:
        """Whether the weight decay applies to a weight."""
        named = any(re.search(part, variable.name) for part in self._undecayed_names)
        return id(variable) not in self._undecayed and not named

    def attributes(self) -> dict[str, float | bool]:
        """The attributes of the core's rule."""
        raise NotImplementedError(f"{type(self).__name__} has no `attributes`")

    def rule(self) -> _core.Optimizer:
        """The core's rule."""
        options = {
            name: float(value)
            for name in ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm")
            if (value := getattr(self, name)) is not None
        }
        return _core.Optimizer(self.kind, self.attributes() | options)

    def build(self, variables: Iterable[Variable]) -> None:
        """Makes the state of variables that have none yet."""
        count = self.rule().slots
        for variable in variables:
            if id(variable) not in self._slots:
                buffers = [_core.Buffer(variable.shape) for _ in range(count)]
                for buffer in buffers:
                    buffer.array[...] = self.initial_slot
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
        rate: Any = float(self.learning_rate) if self.schedule is None else None
        if self.schedule is not None:
            rate = registry.serialize(self.schedule, "keras.optimizers.schedules")
        base = {
            "name": self.name,
            "learning_rate": rate,
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "clipvalue": self.clipvalue,
            "global_clipnorm": self.global_clipnorm,
        }
        return registry.get_config(self) | base

    @classmethod
    def from_config(cls: type[Self], config: dict[str, Any]) -> Self:
        """An optimizer from the dict of `get_config`."""
        rate = config.get("learning_rate")
        if isinstance(rate, dict):
            config = config | {"learning_rate": schedules.deserialize(rate)}
        return registry.from_config(cls, config)


_OPTIONS = (
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
